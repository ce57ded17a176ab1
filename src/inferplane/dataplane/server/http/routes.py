"""The hot routes: method and target → handler. Predict and infer targets are remembered by their bytes."""

import re
from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from inferplane.dataplane.server.answers import Answer, Handler, Outcome, of_error
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc import paths as grpc_paths
from inferplane.dataplane.server.grpc import versions
from inferplane.dataplane.server.http.probes import ALIVE, V2_LIVE, Probes
from inferplane.dataplane.server.streams import Streams
from inferplane.inference.errors import InferenceFailure

if TYPE_CHECKING:
    from inferplane.dataplane.openai.endpoints import OpenAI
    from inferplane.dataplane.server.grpc.lane import CallRoutes

_REMEMBERED = 1024


class HotRoutes:
    """Finds a handler by method and target. What it does not know is the ASGI application's to answer or to refuse."""

    def __init__(self, dispatch: Dispatch, probes: Probes) -> None:
        self._dispatch = dispatch
        self._server_probes = probes
        streams = Streams(dispatch)
        self._calls_of_v2: dict[str, Callable[[str, bytes, dict[str, str]], Outcome]] = {
            "infer": dispatch.infer,
            "explain": dispatch.explain_tensors,
            "infer_stream": streams.infer_stream,
            "generate": streams.generate,
            "generate_stream": streams.generate_stream,
        }
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

    @cached_property
    def _openai(self) -> "OpenAI":
        """Made when the first of its requests comes."""
        from inferplane.dataplane.openai.endpoints import OpenAI

        return OpenAI(self._dispatch)

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
        if (found := _V1.fullmatch(path)) is not None:
            verb = self._dispatch.predict if found["verb"] == "predict" else self._dispatch.explain
            return partial(verb, unquote(found["model"]))
        if (found := _SERVABLES.fullmatch(path)) is not None:
            return self._of_servables(found)
        if (found := _V2.fullmatch(path)) is not None:
            name, version = unquote(found["model"]), unquote(found["version"] or "")
            call = self._calls_of_v2[found["verb"]]
            return partial(call if version in versions.SERVED else partial(self._unknown_version, version), name)
        if (found := _OPENAI.fullmatch(path)) is not None:
            return self._openai.handler(found["api"])
        return None

    def _of_servables(self, found: re.Match[str]) -> Handler:
        from inferplane.dataplane.server import servables  # with messages that most servers never see

        codec = servables.codec(found["verb"], servables.which(found["version"], found["label"]))
        return partial(self._dispatch.call, codec, unquote(found["model"]))

    def _unknown_version(self, version: str, name: str, body: bytes, headers: dict[str, str]) -> Answer:
        try:
            self._dispatch.repository.existing(name)
            versions.check(name, version)
        except InferenceFailure as error:
            return of_error(error)
        raise AssertionError(f"version {version} is served")


_V1 = re.compile(r"/v1/models/(?P<model>[^/]+):(?P<verb>predict|explain)")
_V2 = re.compile(
    r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?/(?P<verb>infer|explain|infer_stream|generate|generate_stream)"
)
_SERVABLES = re.compile(
    r"/v1/models/(?P<model>[^/:]+)(?:/versions/(?P<version>[0-9]{1,18})|/labels/(?P<label>[^/:]+))?:(?P<verb>predict|classify|regress)"
)
"""Names have no slash."""
_OPENAI = re.compile(r"(?:/openai)?/v1/(?P<api>completions|chat/completions|embeddings|rerank)")
"""Where KServe has OpenAI's endpoints, and where OpenAI's own clients look without being told."""
