"""Everything but the hot routes: lists, metadata, the repository, metrics, and the refusal of what is not served.

A Starlette application over the table of endpoints.
"""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from inferplane.dataplane.model.example import Example
from inferplane.dataplane.model.model import Model
from inferplane.dataplane.server import administration
from inferplane.dataplane.server.answers import JSON, Answer, of_error, of_v2_error
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc import versions
from inferplane.dataplane.server.http import openapi
from inferplane.dataplane.server.http.endpoints import ENDPOINTS, Body
from inferplane.dataplane.server.http.probes import Probes
from inferplane.inference import v2
from inferplane.inference.errors import InferenceFailure, Malformed
from inferplane.kernel.json import Json, JsonObject

if TYPE_CHECKING:
    from inferplane.dataplane.openai.endpoints import OpenAI


class Pages:
    """The handlers, over one dispatch."""

    def __init__(self, dispatch: Dispatch, probes: Probes, version: str) -> None:
        self._dispatch = dispatch
        self._probes = probes
        self._version = version

    async def models(self, request: Request) -> Response:
        return _json({"models": list(self._dispatch.repository.get_models())})

    async def server(self, request: Request) -> Response:
        return _json({"name": "inferplane", "version": self._version, "extensions": list(administration.EXTENSIONS)})

    async def model_ready(self, request: Request) -> Response:
        name = _named(request, self._dispatch)
        return _response(await self._probes.model_ready(name))

    async def model(self, request: Request) -> Response:
        """V1's readiness and, of a model of versions, what TensorFlow Serving tells of them."""
        name = _named(request, self._dispatch)
        answer = await self._probes.model_ready(name)
        model = self._dispatch.repository.existing(name)
        if answer.status != 200 or not hasattr(model, "signatures_of"):
            return _response(answer)
        from inferplane.dataplane.server import servables  # with messages that most servers never see

        return _json({"name": name, "ready": True, **servables.model_status(model, servables.which(None, None))})

    async def versions(self, request: Request) -> Response:
        """As TensorFlow Serving tells of a version."""
        from inferplane.dataplane.server import servables

        model, version, label = self._of_servables(request)
        return _json(servables.model_status(model, servables.which(version, label)))

    async def signatures(self, request: Request) -> Response:
        """As TensorFlow Serving tells of a version's signatures."""
        from inferplane.dataplane.server import servables

        model, version, label = self._of_servables(request)
        return _json(servables.model_metadata(model, servables.which(version, label)))

    def _of_servables(self, request: Request) -> tuple[Model, str | None, str | None]:
        """Model, version and label of the path."""
        version = request.path_params.get("version")
        if version is not None and not (version.isascii() and version.isdecimal() and len(version) < 19):
            raise HTTPException(404)
        model = self._dispatch.repository.ready_model(request.path_params["model"])
        return model, version, request.path_params.get("label")

    async def metadata(self, request: Request) -> Response:
        name = _named(request, self._dispatch)
        inputs, outputs = await self._dispatch.metadata(name)
        notes = getattr(self._dispatch.repository.existing(name), "notes", ())
        return Response(v2.write_metadata(name, inputs, outputs, notes), media_type="application/json")

    async def config(self, request: Request) -> Response:
        name = _named(request, self._dispatch)
        return _json(administration.config(name, *await self._dispatch.metadata(name)))

    async def statistics(self, request: Request) -> Response:
        name = _named(request, self._dispatch)
        return _json({"model_stats": [administration.statistics(self._dispatch.metrics, name)]})

    async def all_statistics(self, request: Request) -> Response:
        names = list(self._dispatch.repository.get_models())
        return _json({"model_stats": [administration.statistics(self._dispatch.metrics, name) for name in names]})

    async def index(self, request: Request) -> Response:
        wanted = administration.ready_only(_options(await request.body()))
        return _json(await administration.index(self._dispatch.repository, ready_only=wanted))

    async def load(self, request: Request) -> Response:
        name = request.path_params["model"]
        _options(await request.body())
        await administration.load(self._dispatch, name)
        return _json({"name": name, "load": True})

    async def unload(self, request: Request) -> Response:
        name = request.path_params["model"]
        _options(await request.body())
        await administration.unload(self._dispatch, name)
        return _json({"name": name, "unload": True})

    @cached_property
    def _openai(self) -> "OpenAI":
        from inferplane.dataplane.openai.endpoints import OpenAI

        return OpenAI(self._dispatch)

    async def openai_models(self, request: Request) -> Response:
        return _response(self._openai.models())

    async def openai_model(self, request: Request) -> Response:
        return _response(self._openai.model(request.path_params["model"]))

    async def lane(self, request: Request) -> Response:
        """Reached only by an odd spelling, such as a percent-encoded letter, of a path that the lane answers."""
        raise HTTPException(404)

    async def metrics(self, request: Request) -> Response:
        body, content_type = self._dispatch.metrics.exposition(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    async def openapi(self, request: Request) -> Response:
        models = self._dispatch.repository.get_models().values()
        told = [(model.name, model.example) for model in models if isinstance(model.example, Example)]
        examples = {
            Body.V1: {name: one.request for name, one in told if not one.tensors},
            Body.V2: {name: one.request for name, one in told if one.tensors},
        }
        return _json(openapi.document(self._version, examples))

    async def docs(self, request: Request) -> Response:
        return HTMLResponse(openapi.page())


def build(dispatch: Dispatch, probes: Probes, version: str, *, docs: bool = False) -> Starlette:
    """The application; `docs` adds the page `/docs`. Names in paths hold no slash."""
    pages = Pages(dispatch, probes, version)
    routes = [
        Route(endpoint.path, _answering(getattr(pages, endpoint.handler)), methods=[endpoint.method])
        for endpoint in sorted(ENDPOINTS, key=lambda endpoint: ":" not in endpoint.path)
    ]
    if docs:
        routes.append(Route("/docs", pages.docs))
    return Starlette(
        routes=routes,
        exception_handlers={HTTPException: _refused},  # type: ignore[dict-item]  # narrower than Starlette's handler type
    )


Page = Callable[[Request], Awaitable[Response]]


def _answering(page: Page) -> Page:
    """The page, with its failures as answers."""

    async def answer(request: Request) -> Response:
        try:
            return await page(request)
        except InferenceFailure as error:
            return _response(of_v2_error(error) if isinstance(error, Malformed) else of_error(error))

    return answer


async def _refused(request: Request, error: HTTPException) -> Response:
    """KServe's routing errors have `detail`; every failure of ours has `error`."""
    message = f"{error.detail}: {request.method} {request.url.path}"
    return Response(
        orjson.dumps({"error": message, "detail": error.detail}),
        error.status_code,
        headers=error.headers,
        media_type="application/json",
    )


def _named(request: Request, dispatch: Dispatch) -> str:
    """The model that the path names; raises for one that there is not, and for a version that it has not."""
    name: str = request.path_params["model"]
    dispatch.repository.existing(name)
    versions.check(name, request.path_params.get("version"))
    return name


def _options(body: bytes) -> JsonObject:
    """An optional JSON object."""
    if not body:
        return {}
    try:
        options: Json = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"Unrecognized request format: {error}") from error
    if not isinstance(options, dict):
        raise Malformed("expected a JSON object")
    return options


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def _response(answer: Answer) -> Response:
    body = answer.body if isinstance(answer.body, bytes) else b""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    return Response(body, answer.status, headers={**headers, "content-type": (answer.content_type or JSON).decode()})
