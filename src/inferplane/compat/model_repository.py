"""`kserve.model_repository`."""

from inferplane.dataplane.model.model import Model as BaseKServeModel
from inferplane.dataplane.model.repository import MODELS_DIR, ModelRepository

MODEL_MOUNT_DIRS = MODELS_DIR

__all__ = ["MODEL_MOUNT_DIRS", "BaseKServeModel", "ModelRepository"]
