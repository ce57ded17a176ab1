"""`kserve.model_repository`."""

from inferplane.dataplane.model.repository import MODELS_DIR, ModelRepository

MODEL_MOUNT_DIRS = MODELS_DIR

__all__ = ["MODEL_MOUNT_DIRS", "ModelRepository"]
