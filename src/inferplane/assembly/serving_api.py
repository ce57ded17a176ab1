"""A model author's own server: `ModelServer().start([model])` in their script serves what they wrote.

The same dispatch, lane and gRPC port as `inferplane serve`; only where the models come from differs. `app` is the place
for routes and middleware of the author's own.
"""

import asyncio
import inspect
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.applications import Starlette

from inferplane.assembly import server_flags
from inferplane.assembly.announcement import announce_failure
from inferplane.assembly.events import event_settings
from inferplane.assembly.listening import Ends, executor, listening, loop_factory
from inferplane.assembly.model_server_grpc import GrpcFlags
from inferplane.assembly.predictor_flags import predictor
from inferplane.assembly.readiness import READY, announce
from inferplane.assembly.server_flags import HTTP_PORT
from inferplane.assembly.serving_flags import GRPC_PORT, HTTPS_PORT, flags
from inferplane.assembly.serving_logging import configure_logging
from inferplane.assembly.sharing import share
from inferplane.assembly.tracing import tracing
from inferplane.assembly.worker_channel import Message
from inferplane.assembly.workers import Place
from inferplane.dataplane.model.forwarding import close_clients
from inferplane.dataplane.model.model import Model
from inferplane.dataplane.model.predictor import PredictorConfig, tell_near_predictor, tell_predictor
from inferplane.dataplane.model.repository import ModelRepository, ModelRepositoryExtension, WithoutName
from inferplane.dataplane.server.http.access_log import AccessLog
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.listener import CannotListen
from inferplane.dataplane.server.memory import keep_freed
from inferplane.dataplane.server.settings import Execution
from inferplane.inference.errors import NoModelReady
from inferplane.kernel.errors import InferplaneError

if TYPE_CHECKING:
    from inferplane.dataplane.agent.writer import LogWriter
    from inferplane.dataplane.server.tracing import Spans

log = logging.getLogger("inferplane.server")

ExceptionHandler: TypeAlias = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]
ServerHook: TypeAlias = Callable[[], Awaitable[object] | object]

VARIABLE = "INFERPLANE_COLLOCATED_PREDICTOR"
"""Set where the pod's predictor is to share this process (`collocated.py`)."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)

app = Starlette()
"""Routes, mounts and middleware that authors add before `start` are served by every ModelServer of this process."""


class NotModels(InferplaneError, RuntimeError):
    """What `start` was given is not a list of models."""


class WorkersFailed(InferplaneError):
    pass


class ModelServer:
    """One process that serves models over REST and gRPC. What is not given comes from the command line's flags.

    Times in seconds. `execution` is how calls of the models are run. `started` is set once requests are answered;
    `http_port` and `grpc_port` are then the ports in use.
    """

    def __init__(
        self,
        http_port: int | None = None,
        grpc_port: int | None = None,
        workers: int | None = None,
        max_threads: int | None = None,
        max_asyncio_workers: int | None = None,
        registered_models: ModelRepository | None = None,
        enable_grpc: bool | None = None,
        enable_docs_url: bool | None = None,
        enable_latency_logging: bool | None = None,
        access_log_format: str | None = None,
        event_loop: str | None = None,
        timeout_keep_alive: float | None = None,
        grace_period: float = 30,
        predictor_config: PredictorConfig | None = None,
        ssl_certfile: str | None = None,
        ssl_keyfile: str | None = None,
        execution: Execution | None = None,
    ) -> None:
        given = flags()
        self.registered_models = ModelRepository() if registered_models is None else registered_models
        self.ssl_certfile = _or(ssl_certfile, given.ssl_certfile)
        self.ssl_keyfile = _or(ssl_keyfile, given.ssl_keyfile)
        self.http_port = _port(_or(http_port, given.http_port), tls=bool(self.ssl_certfile and self.ssl_keyfile))
        self.grpc_port = _or(grpc_port, given.grpc_port)
        self.workers = _or(workers, given.workers)
        self.max_threads = _or(max_threads, given.max_threads)
        self.max_asyncio_workers = _or(max_asyncio_workers, given.max_asyncio_workers)
        self.enable_grpc = _or(enable_grpc, given.enable_grpc)
        self.enable_docs_url = _or(enable_docs_url, given.enable_docs_url)
        self.enable_latency_logging = _or(enable_latency_logging, given.enable_latency_logging)
        self.access_log_format = _or(access_log_format, given.access_log_format)
        self.event_loop = _known_loop(_or(event_loop, given.event_loop))
        self.timeout_keep_alive = _or(timeout_keep_alive, given.timeout_keep_alive)
        self.grace_period = grace_period
        if execution is None:
            execution = server_flags.execution(given)
        self.execution = server_flags.with_batcher(execution, given.agent.batcher)
        self.model_repository_extension = ModelRepositoryExtension(self.registered_models)
        self.app = app
        self.started = threading.Event()
        self._flags = given
        self._on_startup: list[ServerHook] = []
        self._on_shutdown: list[ServerHook] = []
        self._exception_handler: ExceptionHandler | None = None
        self._engines: list[Model] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._has_workers = False
        self._log_writer: LogWriter | None = None
        self._wants_grpc = grpc_port is not None or given.has_grpc_port
        if given.configure_logging:
            configure_logging(given.log_config_file)
        if max_threads is not None:
            given.without_effect = [*server_flags.without_effect(given), "--max_threads"]
        for warning in server_flags.warnings(given):
            log.warning("%s", warning)
        tell_predictor(predictor(given, os.environ) if predictor_config is None else predictor_config)

    def register_model(self, model: Model, name: str | None = None) -> None:
        """Adds a model, under another name too when `name` is given."""
        if not model.name:
            raise WithoutName("Failed to register model, model.name must be provided.")
        self.registered_models.update(model, name or model.name)
        log.info("registered model=%s", name or model.name)

    def register_exception_handler(self, handler: ExceptionHandler) -> None:
        """Takes the place of `default_exception_handler` for what nobody caught on the event loop."""
        self._exception_handler = handler

    def default_exception_handler(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        log.error("uncaught on the event loop: %s", context.get("message"), exc_info=context.get("exception"))
        loop.default_exception_handler(context)

    def on_startup(self, hook: ServerHook) -> ServerHook:
        """Calls `hook`, sync or async, on the server's loop before the first request. Can be used as a decorator."""
        self._on_startup.append(hook)
        return hook

    def on_shutdown(self, hook: ServerHook) -> ServerHook:
        """Calls `hook`, sync or async, after the last answer. Can be used as a decorator."""
        self._on_shutdown.append(hook)
        return hook

    def start(self, models: Sequence[Model]) -> None:
        """Serves the models until SIGTERM, SIGINT, SIGQUIT or `stop`; those that are not ready are left out.

        Raises NotModels (a RuntimeError), NoModelReady when none of them is ready, CannotListen.
        """
        try:
            self._load_near_predictor()
            self._register(models)
            with self._payload_logging() as self._log_writer:
                if self.workers > 1:
                    self._share()
                else:
                    self._run()
        except InferplaneError as error:
            announce_failure(os.environ, type(error).__name__, str(error))
            raise

    def stop(self, sig: int = signal.SIGTERM) -> None:
        """Has `start` end as after a signal: requests in progress are answered. From any thread."""
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        elif self._has_workers:
            os.kill(os.getpid(), sig)  # the parent of workers hears signals only, and hands them on

    def _load_near_predictor(self) -> None:
        """The pod's predictor, where it is to share this process."""
        if VARIABLE in os.environ:
            from inferplane.assembly.collocated import collocated  # of no use to others

            tell_near_predictor(collocated(os.environ))
            log.info("the predictor is in this process")

    def _register(self, models: Sequence[Model]) -> None:
        if not isinstance(models, list):
            raise NotModels("Unknown model collection type")
        ready = [model for model in models if _is_model(model).ready]
        if models and not ready:
            raise NoModelReady(models)
        for model in models:
            if model in ready:
                self.register_model(model)
                model.enable_latency_logging = self.enable_latency_logging
            model.start()
        self._engines = [model for model in models if model.engine]

    def _payload_logging(self) -> "AbstractContextManager[LogWriter | None]":
        if self._flags.agent.logger is None:
            return nullcontext()
        from inferplane.assembly.payload_logging import payload_logging

        return payload_logging(self._flags.agent.logger, self.http_port)

    def _run(self, place: Place | None = None) -> None:
        keep_freed()
        with asyncio.Runner(loop_factory=loop_factory(self.event_loop)) as runner:
            runner.run(self._serve(place))

    def _share(self) -> None:
        """Several workers, forked: they have in common what the models loaded until now."""
        self._has_workers = True
        if share(self.workers, _host(), self.http_port, self._grpc(), self._work, _announced):
            raise WorkersFailed("the workers could not start to serve", fix="the log above says why")

    def _work(self, grpc: GrpcFlags, place: Place) -> None:
        self.enable_grpc, self.grpc_port = grpc.enabled, _or(grpc.port, self.grpc_port)
        self._wants_grpc = True
        self._run(place)

    async def _serve(self, place: Place | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._loop.set_exception_handler(self._exception_handler or self.default_exception_handler)
        self._loop.set_default_executor(executor(self.max_asyncio_workers))
        self._heed_signals()
        try:
            async with (
                tracing(self._flags.enable_tracing, os.environ, self._flags.model_name) as spans,
                self._prepared(),
                listening(self.registered_models, self._ends(spans), place, self._stopping) as ports,
                self._running_engines(),
            ):
                self.http_port, self.grpc_port = ports.http, ports.grpc or self.grpc_port
                names = ",".join(self.registered_models.get_models())
                log.info("serving models=%s url=http://%s:%d", names, _host(), ports.http)
                if place is None:
                    announce(os.environ, READY)
                self.started.set()
                await self._stopping.wait()
        finally:
            self.started.clear()
            await close_clients()
            for name in list(self.registered_models.get_models()):
                self.registered_models.unload(name)

    @asynccontextmanager
    async def _prepared(self) -> AsyncIterator[None]:
        """Between the author's startup and shutdown hooks, and within the lifespan of their application."""
        async with self.app.router.lifespan_context(self.app):
            for hook in self._on_startup:
                await _called(hook)
            try:
                yield
            finally:
                for hook in self._on_shutdown:
                    await _called(hook)

    def _ends(self, spans: "Spans | None") -> Ends:
        return Ends(
            host=_host(),
            http_port=self.http_port,
            grpc=self._grpc(),
            limits=Limits(
                keep_alive=self.timeout_keep_alive,
                lame_duck=min(Limits().lame_duck, self.grace_period),
                grace=self.grace_period,
            ),
            execution=self.execution,
            access_log=None if self.access_log_format is None else AccessLog(self.access_log_format),
            docs=self.enable_docs_url,
            events=event_settings(os.environ),
            app=self.app,
            spans=spans,
            log_writer=self._log_writer,
        )

    def _grpc(self) -> GrpcFlags:
        try:
            tls = server_flags.tls_files(self.ssl_certfile, self.ssl_keyfile)
        except ValueError as error:
            raise CannotListen("TLS needs a certificate and its key", fix=str(error)) from error
        return GrpcFlags(
            self.enable_grpc,
            self.grpc_port if self._wants_grpc or self.grpc_port != GRPC_PORT else None,
            self._flags.grpc_max_send_message_length,
            self._flags.grpc_max_receive_message_length,
            tls=tls,
        )

    @asynccontextmanager
    async def _running_engines(self) -> AsyncIterator[None]:
        """Engines start beside the server; one that fails ends it."""
        starting = [asyncio.ensure_future(model.start_engine()) for model in self._engines]
        failures: list[BaseException] = []

        def ended(engine: asyncio.Future[None]) -> None:
            if not engine.cancelled() and (error := engine.exception()) is not None:
                failures.append(error)
                self.stop()

        for engine in starting:
            engine.add_done_callback(ended)
        try:
            yield
        finally:
            for engine in starting:
                engine.cancel()
        if failures:
            raise failures[0]

    def _heed_signals(self) -> None:
        """The first signal stops in good order; the second one kills, as its sender expects."""
        loop = asyncio.get_running_loop()
        if threading.current_thread() is not threading.main_thread():
            return

        def heard(number: int) -> None:
            self.stop(number)
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

        for number in SIGNALS:
            loop.add_signal_handler(number, heard, number)


def _or(given: Any, otherwise: Any) -> Any:
    return otherwise if given is None else given


def _port(port: int, *, tls: bool) -> int:
    """KServe's rule: with TLS the default port is another one."""
    return HTTPS_PORT if tls and port == HTTP_PORT else port


def _known_loop(name: str) -> str:
    if name in ("auto", "asyncio", "uvloop"):
        return name
    log.error("event_loop=%s: expected auto, asyncio or uvloop; taking auto", name)
    return "auto"


def _host() -> str:
    return os.environ.get("POD_IP") or "0.0.0.0"


def _announced(message: Message) -> None:
    if message.event == "ready":
        announce(os.environ, READY)
    else:
        announce_failure(os.environ, message.kind, message.error)


def _is_model(model: object) -> Model:
    if not isinstance(model, Model):
        raise NotModels("Model type should be 'BaseKServeModel'")
    return model


async def _called(hook: ServerHook) -> None:
    value = hook()
    if inspect.isawaitable(value):
        await value
