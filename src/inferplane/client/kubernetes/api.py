"""The verbs of the Kubernetes API, as a Protocol.

`http.HttpApi` speaks them over the wire. Tests have an in-memory one. Objects are plain JSON; callers that want
types convert at once (`msgspec.convert`), callers that write send only the fields they own (server-side apply).
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """One kind as the API serves it. `group` is "" for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class EventType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


class PatchType(StrEnum):
    """Values are the content types of the request."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"


class Propagation(StrEnum):
    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


@dataclass(frozen=True, slots=True)
class ObjectList:
    items: list[JsonObject]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    type: EventType
    object: JsonObject


class ApiError(InferplaneError):
    """A Status answer of the API server. `reason` is its machine-readable word (`NotFound`, `Conflict`, …)."""

    def __init__(self, status: int, reason: str, message: str, details: JsonObject | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.details: JsonObject = details or {}


class NotFound(ApiError):
    """404"""


class AlreadyExists(ApiError):
    """409 with reason AlreadyExists"""


class Conflict(ApiError):
    """409: the object changed since it was read, or another manager owns an applied field."""


class Gone(ApiError):
    """410: the resourceVersion to watch from has been compacted; list again."""


class Invalid(ApiError):
    """422: the object breaks its schema or a rule; `details["causes"]` names the fields."""


class ServerUnreachable(InferplaneError):
    """No answer at all: refused, reset, or timed out."""


class Api(Protocol):
    """Every method may raise ApiError (or one of its kinds) and ServerUnreachable."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> JsonObject: ...

    async def list(self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = "") -> ObjectList:
        """All objects of the kind (of all namespaces when `namespace` is empty), paged internally."""
        ...

    def watch(
        self, resource: Resource, namespace: str = "", *, since: str, labels: str = "", fields: str = ""
    ) -> AsyncGenerator[WatchEvent, None]:
        """Events after resourceVersion `since`, bookmarks included. Ends when the server ends it; Gone when too old."""
        ...

    async def create(self, resource: Resource, body: JsonObject, namespace: str = "") -> JsonObject: ...

    async def update(
        self, resource: Resource, body: JsonObject, namespace: str = "", *, subresource: str = ""
    ) -> JsonObject:
        """PUT; the name comes from the body's metadata. Conflict when its resourceVersion is not the current one."""
        ...

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Json,
        namespace: str = "",
        *,
        type: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> JsonObject: ...

    async def apply(
        self,
        resource: Resource,
        body: JsonObject,
        namespace: str = "",
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
    ) -> JsonObject:
        """Server-side apply of exactly the fields in `body` (apiVersion and kind are filled in when absent)."""
        ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        propagation: Propagation | None = None,
        uid: str = "",
        grace_seconds: int | None = None,
    ) -> None:
        """`uid` is a precondition: Conflict when the object of that name is another one by now."""
        ...

    async def subresource(
        self, resource: Resource, name: str, subresource: str, body: JsonObject, namespace: str = ""
    ) -> JsonObject:
        """POST to a subresource such as `binding` or `eviction`."""
        ...

    def logs(
        self,
        name: str,
        namespace: str,
        *,
        container: str = "",
        follow: bool = False,
        previous: bool = False,
        tail: int | None = None,
        since_seconds: int | None = None,
        timestamps: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        """A pod's log, in chunks as they come."""
        ...
