"""OpenTelemetry for a model server: whether it is on, and its way out.

On with `--enable_tracing`, or by the standard variables alone: a traces exporter or an OTLP endpoint in the
environment. What the SDK reads from the environment (sampler, resource, service name, batching, endpoint, headers,
certificates, timeouts) it reads itself; only the choice of exporter is ours. Nothing of OpenTelemetry is imported
before it is known that tracing is on.
"""

import asyncio
import importlib.util
import logging
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from inferplane import __version__
from inferplane.kernel.errors import InferplaneError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

    from inferplane.dataplane.server.tracing import Spans

log = logging.getLogger("inferplane.server")

LAST_SPANS = 5.0
"""Seconds that a server that stops gives its collector to take what is left."""

EXPORTER = "OTEL_TRACES_EXPORTER"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
TRACES_PROTOCOL = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
DISABLED = "OTEL_SDK_DISABLED"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SERVICE_NAME = "OTEL_SERVICE_NAME"
RESOURCE = "OTEL_RESOURCE_ATTRIBUTES"

_NO_EXTRA = "OpenTelemetry is not installed"
_FIX = "pip install 'inferplane[otel]'"


class CannotTrace(InferplaneError):
    pass


def wanted(flag: bool | None, environ: Mapping[str, str]) -> bool:
    """Whether to trace. The flag decides; without it (None) the environment does. CannotTrace without the extra."""
    if environ.get(DISABLED, "").lower() == "true" or environ.get(EXPORTER, "") == "none":
        return False
    asked = bool(environ.get(EXPORTER) or any(environ.get(name) for name in ENDPOINTS))
    if not (asked if flag is None else flag):
        return False
    if importlib.util.find_spec("opentelemetry") and importlib.util.find_spec("opentelemetry.sdk"):
        return True
    if flag is None:
        # Whoever sets these for all processes of a machine did not ask this one for anything.
        log.warning("%s: no spans, though the environment asks for them; %s", _NO_EXTRA, _FIX)
        return False
    raise CannotTrace(_NO_EXTRA, fix=_FIX)


@asynccontextmanager
async def tracing(flag: bool | None, environ: Mapping[str, str], name: str) -> AsyncIterator["Spans | None"]:
    """The spans of this process while the block runs, None where tracing is off. `name` is the service's default one.

    Made after a fork: spans are sent by a thread.
    """
    if not wanted(flag, environ):
        yield None
        return
    from inferplane.dataplane.server.tracing import Spans, tracer

    provider = _provider(environ, name)
    try:
        yield Spans(tracer(provider, __version__))
    finally:
        await _shut_down(provider)


def _provider(environ: Mapping[str, str], name: str) -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    given = SERVICE_NAME in environ or "service.name" in environ.get(RESOURCE, "")
    resource = Resource.create({} if given else {"service.name": name})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter(environ)))
    return provider


def exporter(environ: Mapping[str, str]) -> "SpanExporter":
    """What sends the spans, as the SDK's own variables say. CannotTrace."""
    kind = environ.get(EXPORTER) or "otlp"
    if kind == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    if kind != "otlp":
        raise CannotTrace(f"{EXPORTER}={kind}: expected otlp, console or none")
    protocol = environ.get(TRACES_PROTOCOL) or environ.get(PROTOCOL) or "http/protobuf"
    if protocol not in ("grpc", "http/protobuf"):
        raise CannotTrace(f"{PROTOCOL}={protocol}: expected http/protobuf or grpc")
    try:
        return _otlp(protocol)
    except ImportError as error:
        # xds-protos brings files of the same names, some of them older; whichever was installed last is there.
        raise CannotTrace(
            f"OpenTelemetry's messages are not those of opentelemetry-proto: {error}",
            fix="pip install --force-reinstall --no-deps opentelemetry-proto",
        ) from error


def _otlp(protocol: str) -> "SpanExporter":
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

    return Http()


async def _shut_down(provider: "TracerProvider") -> None:
    """Sends what is left. A collector that does not answer may not keep the process alive: a daemon waits for it."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def flush() -> None:
        provider.shutdown()
        try:
            loop.call_soon_threadsafe(done.set)
        except RuntimeError:
            pass  # too late: the loop has ended without us

    threading.Thread(target=flush, name="last-spans", daemon=True).start()
    try:
        await asyncio.wait_for(done.wait(), LAST_SPANS)
    except TimeoutError:
        log.warning("the collector did not take the last spans within %g s", LAST_SPANS)
