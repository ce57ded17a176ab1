"""Everything but the hot routes: lists, metadata, metrics, and the refusal of what is not served. A Starlette app."""

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inferplane.dataplane.server.answers import JSON, Answer, of_error
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.http.probes import Probes
from inferplane.inference import v2
from inferplane.inference.errors import InferenceFailure

EXTENSIONS: tuple[str, ...] = ()
"""V2 extensions that this server has."""


class Pages:
    """The handlers, over one dispatch."""

    def __init__(self, dispatch: Dispatch, probes: Probes, version: str) -> None:
        self._dispatch = dispatch
        self._probes = probes
        self._version = version

    async def models(self, request: Request) -> Response:
        return _json({"models": list(self._dispatch.repository.get_models())})

    async def server(self, request: Request) -> Response:
        return _json({"name": "inferplane", "version": self._version, "extensions": EXTENSIONS})

    async def model_ready(self, request: Request) -> Response:
        return _response(await self._probes.model_ready(request.path_params["model"]))

    async def metadata(self, request: Request) -> Response:
        name = request.path_params["model"]
        try:
            inputs, outputs = await self._dispatch.metadata(name)
        except InferenceFailure as error:
            return _response(of_error(error))
        return Response(v2.write_metadata(name, inputs, outputs), media_type="application/json")

    async def lane(self, request: Request) -> Response:
        """Reached only by an odd spelling, such as a percent-encoded letter, of a path that the lane answers."""
        raise HTTPException(404)

    async def metrics(self, request: Request) -> Response:
        body, content_type = self._dispatch.metrics.exposition(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})


def build(dispatch: Dispatch, probes: Probes, version: str) -> Starlette:
    """The application. Names in paths hold no slash."""
    pages = Pages(dispatch, probes, version)
    return Starlette(
        routes=[
            # The lane answers these by their one method; here they only tell what that is.
            Route("/v1/models/{model}:predict", pages.lane, methods=["POST"]),
            Route("/metrics", pages.metrics),
            Route("/v1/models", pages.models),
            Route("/v1/models/{model}", pages.model_ready),
            Route("/v2", pages.server),
            Route("/v2/models", pages.models),
            Route("/v2/models/{model}", pages.metadata),
            Route("/v2/models/{model}/ready", pages.model_ready),
            Route("/v2/models/{model}/infer", pages.lane, methods=["POST"]),
            Route("/v2/health/live", pages.lane),
            Route("/v2/health/ready", pages.lane),
            Route("/", pages.lane),
        ],
        exception_handlers={HTTPException: _refused},  # type: ignore[dict-item]  # narrower than Starlette's handler type
    )


async def _refused(request: Request, error: HTTPException) -> Response:
    """KServe's routing errors have `detail`; every failure of ours has `error`."""
    message = f"{error.detail}: {request.method} {request.url.path}"
    return Response(
        orjson.dumps({"error": message, "detail": error.detail}),
        error.status_code,
        headers=error.headers,
        media_type="application/json",
    )


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def _response(answer: Answer) -> Response:
    body = answer.body if isinstance(answer.body, bytes) else b""
    return Response(body, answer.status, headers={"content-type": (answer.content_type or JSON).decode()})
