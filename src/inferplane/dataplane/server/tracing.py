"""A span for each request, by the semantic conventions of OpenTelemetry for HTTP and RPC servers.

Imported only where tracing is on: nothing of OpenTelemetry is loaded otherwise. A request comes with the trace context
of its caller, in W3C's `traceparent`; it goes on to the model with the context of the server's span in that header's
place, so that hooks, and the predictor that a transformer asks, continue the trace. A span that is recorded is found
again by that header's text, which is how a batch tells each of its requests how long it waited and with whom it ran.
What probes and Prometheus ask for is not traced.
"""

import re
from collections.abc import Mapping
from http import HTTPMethod
from typing import NamedTuple
from urllib.parse import unquote

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

from inferplane.dataplane.server.calls import Headers
from inferplane.dataplane.server.grpc import paths
from inferplane.dataplane.server.http.endpoints import ENDPOINTS
from inferplane.dataplane.server.http.wire import Incoming

TRACEPARENT = "traceparent"
STARTED = "inferplane.started"
"""The event of a request whose turn has come."""

_CONTEXT = (b"traceparent", b"tracestate")
_UNTRACED = frozenset({"/", "/metrics", "/v2/health/live", "/v2/health/ready", paths.HEALTH_CHECK})
_METHODS = frozenset(HTTPMethod)
_REMEMBERED = 1024
_W3C = TraceContextTextMapPropagator()


class Route(NamedTuple):
    """What a target asks for. `template` is empty for what only an author's application knows, or nobody."""

    path: str
    query: str
    template: str
    model: str


class Spans:
    """The spans of the requests under way. Belongs to one event loop. `scheme` is how the HTTP port is spoken to."""

    def __init__(self, tracer: Tracer) -> None:
        self.scheme = "http"
        self._tracer = tracer
        self._open: dict[str, Span] = {}
        self._routes: dict[bytes, Route] = {}

    # Over HTTP.

    def began(self, request: Incoming) -> None:
        """A request is about to be answered; its headers get the context of its span."""
        route = self._route(request.target)
        # A POST to the root is a request to a graph.
        if route.path in _UNTRACED and not (route.path == "/" and request.method == b"POST"):
            return
        caller = {name.decode(): value.decode("latin-1") for name, value in request.headers if name in _CONTEXT}
        name, attributes = _http_attributes(request, route, self.scheme)
        request.span = self.start(name, caller, attributes)
        if request.span:
            others = [header for header in request.headers if header[0] != b"traceparent"]
            request.headers = [*others, (b"traceparent", request.span.encode())]

    def ended(self, request: Incoming) -> None:
        """The answer is written, or will never be: a request without a status was left by its client."""
        span = self._open.pop(request.span, None)
        if span is None:
            return
        if request.status:
            span.set_attribute("http.response.status_code", request.status)
            span.set_attribute("http.response.body.size", request.sent)
        failure = "client_left" if not request.status else str(request.status) if request.status >= 500 else ""
        _end(span, failure)

    # Over any protocol.

    def start(self, name: str, caller: Mapping[str, str], attributes: Attributes) -> str:
        """The `traceparent` of a new span, also when it is not recorded; empty when there is no trace at all."""
        span = self._tracer.start_span(name, _W3C.extract(caller), SpanKind.SERVER, attributes)
        context = span.get_span_context()
        if not context.is_valid:
            return ""
        text = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        if span.is_recording():
            self._open[text] = span
        return text

    def end(self, text: str, attributes: Mapping[str, str], failure: str) -> None:
        """Ends the span of this `traceparent`; `failure` is the kind of error, empty where there is none."""
        span = self._open.pop(text, None)
        if span is not None:
            span.set_attributes(attributes)
            _end(span, failure)

    def computing(self, model: str, protocol: str, headers: Headers, waited: float, requests: int, rows: int) -> None:
        """The turn of a request has come after `waited` seconds, together with others of its batch."""
        span = self._open.get(headers.get(TRACEPARENT, ""))
        if span is not None:
            run = {
                "inferplane.queue.seconds": round(waited, 6),
                "inferplane.batch.requests": requests,
                "inferplane.batch.rows": rows,
            }
            span.set_attributes({"inferplane.model": model, "inferplane.protocol": protocol, **run})
            span.add_event(STARTED, run)

    def _route(self, target: bytes) -> Route:
        route = self._routes.get(target)
        if route is None:
            if len(self._routes) >= _REMEMBERED:
                self._routes.clear()  # targets are the client's to make up
            route = self._routes[target] = route_of(target)
        return route


def route_of(target: bytes) -> Route:
    path, _, query = target.decode("latin-1").partition("?")
    if paths.is_call(path):
        return Route(path, query, path, "")
    for template, pattern in _TEMPLATES:
        if (found := pattern.fullmatch(path)) is not None:
            return Route(path, query, template, unquote(found.groupdict().get("model", "")))
    return Route(path, query, "", "")


def call_attributes(path: str) -> tuple[str, dict[str, str]]:
    """(name, attributes) of a gRPC call's span."""
    method = path.removeprefix("/")
    return method, {"rpc.system.name": "grpc", "rpc.method": method}


def _http_attributes(request: Incoming, route: Route, scheme: str) -> tuple[str, dict[str, str | int]]:
    method = request.method.decode("latin-1")
    attributes: dict[str, str | int] = {
        "http.request.method": method if method in _METHODS else "_OTHER",
        "url.path": unquote(route.path),
        "url.scheme": scheme,
        "network.protocol.version": request.version,
        "http.request.body.size": len(request.body),
        "inferplane.request_id": request.id.decode("latin-1"),
    }
    for name, value in request.headers:
        if name == b"user-agent":
            attributes["user_agent.original"] = value.decode("latin-1")
        elif name == b"host":
            attributes.update(_authority(value.decode("latin-1")))
    if request.client:
        attributes["client.address"] = request.client.rpartition(":")[0]
    if route.query:
        attributes["url.query"] = route.query
    if route.model:
        attributes["inferplane.model"] = route.model
    if paths.is_call(route.path):
        rpc, call = call_attributes(route.path)
        return rpc, {**attributes, "http.route": route.path, **call}
    verb = method if method in _METHODS else "HTTP"
    if not route.template:
        return verb, attributes
    return f"{verb} {route.template}", {**attributes, "http.route": route.template}


def _authority(host: str) -> dict[str, str | int]:
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit() or name.endswith(":"):
        return {"server.address": host}
    return {"server.address": name, "server.port": int(port)}


def _end(span: Span, failure: str) -> None:
    if failure:
        span.set_attribute("error.type", failure)
        span.set_status(StatusCode.ERROR)
    span.end()


def tracer(provider: trace.TracerProvider, version: str) -> Tracer:
    return provider.get_tracer("inferplane", version)


def _pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"{(\w+)}", template)
    return re.compile("".join(f"(?P<{p}>[^/]+)" if odd % 2 else re.escape(p) for odd, p in enumerate(pieces)))


_TEMPLATES = [
    (template, _pattern(template))
    # What is literal goes before what is a name, and a verb before a model whose name ends like one.
    for template in sorted({e.path for e in ENDPOINTS}, key=lambda path: (path.count("{"), ":" not in path, path))
]
