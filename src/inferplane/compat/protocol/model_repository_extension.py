"""`kserve.protocol.model_repository_extension`."""

from inferplane.dataplane.model.repository import ModelRepositoryExtension

__all__ = ["ModelRepositoryExtension"]
