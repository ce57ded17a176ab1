"""The API described in OpenAPI, from the kinds served: for `kubectl explain`, validation, client-side apply."""

from inferplane.controlplane.apiserver.openapi.documents import index, v2, v2_protobuf, v3
from inferplane.controlplane.apiserver.openapi.gnostic import ACCEPTED as V2_PROTOBUF_ACCEPTED
from inferplane.controlplane.apiserver.openapi.gnostic import CONTENT_TYPE as V2_PROTOBUF

__all__ = ["V2_PROTOBUF", "V2_PROTOBUF_ACCEPTED", "index", "v2", "v2_protobuf", "v3"]
