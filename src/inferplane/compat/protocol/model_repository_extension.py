"""`kserve.protocol.model_repository_extension`."""

from inferplane.dataplane.model.repository import ModelRepository, ModelRepositoryExtension
from inferplane.inference.errors import ModelNotFound, ModelNotReady

__all__ = ["ModelNotFound", "ModelNotReady", "ModelRepository", "ModelRepositoryExtension"]
