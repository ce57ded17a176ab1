"""`inferplane serve`: one model behind HTTP, in this process.

Fit to be called in a process forked from one that has imported this module: importing starts no loop, thread or socket.
Whoever started us is told when the model answers, or why it never will (docs/architecture.md, "Readiness").
"""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, nullcontext
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from inferplane import __version__
from inferplane.assembly.announcement import announce_failure
from inferplane.assembly.detecting import NOT_LOADED, detected, disagreement
from inferplane.assembly.events import event_settings
from inferplane.assembly.examples import warmed_up
from inferplane.assembly.listening import Ends, Ports, executor, listening, loop_factory
from inferplane.assembly.model_server_grpc import GrpcFlags
from inferplane.assembly.model_server_options import Options, UsageError, parse
from inferplane.assembly.readiness import READY, announce
from inferplane.assembly.sharing import share
from inferplane.assembly.standard_error import log_to_stderr
from inferplane.assembly.stopping import stop_on_signals
from inferplane.assembly.tracing import tracing
from inferplane.assembly.worker_channel import Message
from inferplane.assembly.workers import Place
from inferplane.dataplane.agent.settings import PullerSettings
from inferplane.dataplane.model.model import Model
from inferplane.dataplane.model.predictor import tell_predictor
from inferplane.dataplane.model.repository import ModelRepository
from inferplane.dataplane.runtimes.options import RuntimeOptions
from inferplane.dataplane.runtimes.registry import models
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.http.app import build
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.listener import CannotListen
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.memory import keep_freed
from inferplane.dataplane.server.metrics import MOST, Metrics
from inferplane.dataplane.storage.local import fetch
from inferplane.dataplane.storage.uris import LOCAL, store_of
from inferplane.kernel.errors import InferplaneError

if TYPE_CHECKING:
    from inferplane.dataplane.agent.writer import LogWriter
    from inferplane.dataplane.server.tracing import Spans

log = logging.getLogger("inferplane.server")

STARTED_BADLY = 1
MISUSED = 2
# Far more than a rehearsal takes; one that hangs must not keep a zygote from starting. Seconds.
_REHEARSED_WITHIN = 10.0
_NAMED = 20
PULLED = "sklearn"
"""The format of models that are pulled without a word of theirs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit code: 1 when the model cannot be served, 2 for wrong flags."""
    try:
        options = parse(sys.argv[1:] if argv is None else argv)
        _set_up_logging(options)
    except UsageError as error:
        print(f"inferplane serve: {error}", file=sys.stderr)
        return MISUSED
    except SystemExit:
        return 0  # argparse, after --help
    keep_freed()
    for warning in options.warnings:
        log.warning("%s", warning)
    tell_predictor(options.predictor)
    try:
        with _payload_logging(options) as writer:
            served = _models(options)
            if options.workers > 1:
                work = partial(_work, options, served, writer)
                told = partial(_told, options)
                return share(options.workers, _host(options), options.http_port, options.grpc, work, told)
            _run(options, served, None, writer)
    except InferplaneError as error:
        return _failed(options, type(error).__name__, error)
    return 0


def _payload_logging(options: Options) -> "AbstractContextManager[LogWriter | None]":
    """First of all: its process has no use for the model, and must be forked while this one has no threads."""
    if options.agent.logger is None:
        return nullcontext()
    from inferplane.assembly.payload_logging import payload_logging

    return payload_logging(options.agent.logger, options.http_port)


def _run(options: Options, served: Sequence[Model], place: Place | None, writer: "LogWriter | None") -> None:
    with asyncio.Runner(loop_factory=loop_factory(options.event_loop)) as runner:
        runner.run(_serve(options, served, place, writer))


def _work(options: Options, served: Sequence[Model], writer: "LogWriter | None", grpc: GrpcFlags, place: Place) -> None:
    _run(replace(options, grpc=grpc), served, place, writer)


def _told(options: Options, message: Message) -> None:
    if message.event == "ready":
        announce(os.environ, READY)
    else:
        _failed(options, message.kind, message.error)


def _host(options: Options) -> str:
    return options.host or os.environ.get("POD_IP") or "0.0.0.0"


def _failed(options: Options, kind: str, error: object) -> int:
    said = (disagreement(options.format, options.model_dir) if kind in NOT_LOADED else None) or str(error)
    log.error("cannot serve model=%s: %s", options.model_name, said)
    announce_failure(os.environ, kind if kind == CannotListen.__name__ else "ModelLoadFailed", said)
    return STARTED_BADLY


def warm() -> None:
    """Has what happens at first use happen now: a fork then starts in half the time. Starts no thread."""
    import_module("encodings.idna")  # the socket module's, for the first host name
    import_module("inferplane.dataplane.server.grpc.lane")  # protobuf, for the first gRPC call
    parse(["--model_dir=."])
    log_to_stderr(os.environ)
    dispatch = Dispatch(ModelRepository(), Metrics())
    build(dispatch, Probes(dispatch), __version__)


def rehearse(format: str, directory: Path, body: bytes) -> None:
    """Serves the model there for one request to `:predict`, on ports that the system chooses, and ends.

    Logs errors only and announces nothing. A process that has done it starts in half the time.
    """
    keep_freed()
    logging.getLogger("inferplane").setLevel(logging.ERROR)
    options = replace(
        parse([f"--model_dir={directory}", f"--format={format}", "--http_port=0", "--grpc_port=0"]), host="127.0.0.1"
    )
    with asyncio.Runner(loop_factory=loop_factory(options.event_loop)) as runner:
        runner.run(_rehearse(options, _models(options), body))


async def _rehearse(options: Options, served: Sequence[Model], body: bytes) -> None:
    repository = ModelRepository(options.model_dir)
    for model in served:
        repository.update(model)
    ends = replace(_ends(options, None), limits=Limits(lame_duck=0.0, grace=0.0))
    stop = stop_on_signals()
    async with (
        asyncio.timeout(_REHEARSED_WITHIN),
        listening(repository, ends, None, stop, partial(_load, repository)) as ports,
    ):
        reader, writer = await asyncio.open_connection(options.host, ports.http)
        head = (
            f"POST /v1/models/{options.model_name}:predict HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await reader.readline()
        writer.close()
    for model in served:
        model.stop()


def _models(options: Options) -> list[Model]:
    """One, or with a directory of model directories one for each of them; none where they come later."""
    if options.agent.puller is not None:
        return []
    directory = _directory(options.model_dir)
    if options.model_config_file:
        found = _configured(options, directory)
    else:
        named = options.format or detected(directory)
        found = models(named, options.model_name, directory, _runtime_options(options))
    for model in found:
        model.enable_latency_logging = options.enable_latency_logging
    return found


def _configured(options: Options, directory: Path) -> list[Model]:
    from inferplane.assembly.configured_models import configured  # of no use to other formats

    return configured(Path(options.model_config_file), directory, _runtime_options(options))


def _runtime_options(options: Options) -> RuntimeOptions:
    # Read by the OpenMP of libraries that are imported after this.
    os.environ.setdefault("OMP_NUM_THREADS", str(options.nthread))
    tell_libraries()
    # A pool of threads for the tokens of one text costs more than it saves, and does not survive a fork.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # TensorFlow would tell how it was built.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return RuntimeOptions(
        method=options.predict_method,
        predict_proba=os.environ.get("PREDICT_PROBA", "false").lower() == "true",
        nthread=options.nthread,
        providers=options.providers,
        device=options.device,
        model_class_name=options.model_class_name,
        huggingface=options.huggingface,
        allow_pickle_globals=options.allow_pickle_globals,
    )


def tell_libraries() -> None:
    """What libraries read from the environment when they are imported: MLflow reports of its use to its makers."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def _directory(uri: str) -> Path:
    if store_of(uri) == LOCAL:
        return fetch(uri)
    from inferplane.assembly.models import fetched  # of no use to a server whose model is here

    return fetched(uri, os.environ, log.info)


async def _serve(options: Options, served: Sequence[Model], place: Place | None, writer: "LogWriter | None") -> None:
    asyncio.get_running_loop().set_default_executor(executor(options.max_asyncio_workers))
    stop = stop_on_signals()
    try:
        async with AsyncExitStack() as stack:
            spans = await stack.enter_async_context(tracing(options.enable_tracing, os.environ, options.model_name))
            ends = replace(_ends(options, spans), log_writer=writer)
            repository, load = (
                _few(options, served) if options.agent.puller is None else _many(options, ends, stack, stop)
            )
            ports = await stack.enter_async_context(listening(repository, ends, place, stop, load))
            log.info("ready model=%s url=%s", _named(repository), _url(options, ports))
            if place is None:
                announce(os.environ, READY)
            await stop.wait()
    finally:
        for model in served:
            model.stop()


def _few(options: Options, served: Sequence[Model]) -> tuple[ModelRepository, Callable[[], Awaitable[None]]]:
    repository = ModelRepository(options.model_dir)
    for model in served:
        repository.update(model)
    return repository, partial(_load, repository, warmup=options.warmup)


def _many(
    options: Options, ends: Ends, stack: AsyncExitStack, stop: asyncio.Event
) -> tuple[ModelRepository, Callable[[], Awaitable[None]]]:
    """Models that come by the puller, which ends after the server."""
    from inferplane.assembly.pulling import many_models, pulling_here  # of no use to a server of few models

    puller = options.agent.puller or PullerSettings()
    made = _runtime_options(options)
    limit, log_latency = options.memory_limit, options.enable_latency_logging
    repository = many_models(puller, options.format or PULLED, made, limit, log_latency=log_latency)
    pulled = pulling_here(puller, repository, os.environ, ends.metrics or Metrics(), stop)
    return repository, partial(_pull, stack, pulled)


async def _pull(stack: AsyncExitStack, pulled: AbstractAsyncContextManager[None]) -> None:
    await stack.enter_async_context(pulled)


def _named(repository: ModelRepository) -> str:
    names = list(repository.get_models())
    return ",".join(names) if len(names) <= _NAMED else f"{len(names)} models"


def _ends(options: Options, spans: "Spans | None") -> Ends:
    return Ends(
        host=_host(options),
        http_port=options.http_port,
        grpc=options.grpc,
        limits=Limits(keep_alive=options.timeout_keep_alive, body=options.max_request_size),
        execution=options.execution,
        access_log=options.access_log,
        docs=options.enable_docs_url,
        events=event_settings(os.environ),
        spans=spans,
        metrics=None if options.agent.puller is None else Metrics(most_models=MOST),
    )


def _url(options: Options, ports: Ports) -> str:
    scheme = "http" if options.grpc.tls is None else "https"
    grpc = "" if ports.grpc is None else f" grpc={_host(options)}:{ports.grpc}"
    return f"{scheme}://{_host(options)}:{ports.http}{grpc}"


async def _load(repository: ModelRepository, *, warmup: bool = False) -> None:
    for name in list(repository.get_models()):
        await _loaded(repository, name)
        if warmup:
            await warmed_up(repository, name)
    # What is there now stays: the collector need not look at it again.
    gc.freeze()


async def _loaded(repository: ModelRepository, name: str) -> None:
    try:
        await repository.load(name)
    except InferplaneError:
        raise
    except Exception as error:
        raise InferplaneError(f"model {name} failed to load: {type(error).__name__}: {error}") from error


def _set_up_logging(options: Options) -> None:
    """Raises UsageError for a configuration that cannot be followed."""
    if options.log_config_file:
        # Not at the top: logging.config imports much, and few servers are given a file.
        from inferplane.assembly.serving_logging import configure_logging

        try:
            configure_logging(options.log_config_file)
        except Exception as error:  # what logging.config raises is not limited by anything
            raise UsageError(f"--log_config_file {options.log_config_file}: {error}") from error
    elif options.configure_logging:
        log_to_stderr(os.environ)
    else:
        logging.getLogger("inferplane").handlers.clear()  # a fork has those of the process that it comes from


if __name__ == "__main__":
    sys.exit(main())
