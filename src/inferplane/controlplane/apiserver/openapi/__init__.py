"""The API described in OpenAPI, from the kinds served: for `kubectl explain`, validation, client-side apply."""

from inferplane.controlplane.apiserver.openapi.documents import index, v2, v3

__all__ = ["index", "v2", "v3"]
