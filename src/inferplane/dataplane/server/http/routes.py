"""The hot routes: method and target → handler. Predict and infer targets are remembered by their bytes."""

from functools import cached_property, partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from inferplane.dataplane.server.answers import Handler
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc import paths as grpc_paths
from inferplane.dataplane.server.http.probes import ALIVE, V2_LIVE, Probes

if TYPE_CHECKING:
    from inferplane.dataplane.server.grpc.lane import CallRoutes

_REMEMBERED = 1024


class HotRoutes:
    """Finds a handler by method and target. What it does not know is the ASGI application's to answer or to refuse."""

    def __init__(self, dispatch: Dispatch, probes: Probes) -> None:
        self._dispatch = dispatch
        self._server_probes = probes
        self._inference: dict[bytes, Handler | None] = {}
        self._probes: dict[bytes, Handler] = {
            b"/": lambda body, headers: ALIVE,
            b"/v2/health/live": lambda body, headers: V2_LIVE,
            b"/v2/health/ready": lambda body, headers: probes.server_ready(),
        }

    @cached_property
    def _calls(self) -> "CallRoutes":
        """Made when the first gRPC call comes: protobuf takes 20 ms to import."""
        from inferplane.dataplane.server.grpc.lane import CallRoutes
        from inferplane.dataplane.server.grpc.service import Service

        return CallRoutes(Service(self._dispatch, self._server_probes))

    def find(self, method: bytes, target: bytes) -> Handler | None:
        if method == b"POST":
            try:
                return self._inference[target]
            except KeyError:
                return self._remembered(target)
        return self._probes.get(target.partition(b"?")[0]) if method in (b"GET", b"HEAD") else None

    def _remembered(self, target: bytes) -> Handler | None:
        if len(self._inference) >= _REMEMBERED:
            self._inference.clear()  # targets are the client's to make up
        handler = self._inference[target] = self._resolved(target)
        return handler

    def _resolved(self, target: bytes) -> Handler | None:
        path = target.decode("latin-1").partition("?")[0]
        if grpc_paths.is_call(path):
            return self._calls.handler(path)
        if (name := _between(path, "/v1/models/", ":predict")) is not None:
            return partial(self._dispatch.predict, name)
        if (name := _between(path, "/v2/models/", "/infer")) is not None:
            return partial(self._dispatch.infer, name)
        return None


def _between(path: str, prefix: str, suffix: str) -> str | None:
    """The model name between the two; a name has no slash."""
    if not (path.startswith(prefix) and path.endswith(suffix)):
        return None
    name = path[len(prefix) : len(path) - len(suffix)]
    return unquote(name) if name and "/" not in name else None
