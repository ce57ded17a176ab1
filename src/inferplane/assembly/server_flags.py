"""Flags that every model server has, `inferplane serve` and an author's own: KServe's by name and default.

Flags of how calls are run are ours alone: `add_execution_flags`.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from inferplane.assembly.model_server_grpc import MESSAGE_LENGTH, PORT, GrpcFlags, TlsFiles
from inferplane.dataplane.agent.settings import BatcherSettings
from inferplane.dataplane.server.settings import MAX_BATCH_SIZE, MAX_QUEUE, Execution

HTTP_PORT = 8080

_YES = ("y", "yes", "t", "true", "on", "1")
_NO = ("n", "no", "f", "false", "off", "0")


def strtobool(val: str) -> bool:
    """ValueError for what is neither."""
    if val.lower() in _YES:
        return True
    if val.lower() in _NO:
        return False
    raise ValueError(f"invalid truth value {val!r}")


class WithoutEffect(argparse.Action):
    """A flag that is taken because KServe has it. `without_effect` of what was parsed names those that were given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, values)
        given = without_effect(namespace)
        namespace.without_effect = [*given, *(name for name in self.option_strings if name not in given)]


def without_effect(found: argparse.Namespace) -> list[str]:
    return getattr(found, "without_effect", [])


WITHOUT_EFFECT = {
    "--max_threads": "without effect: gRPC has no threads of its own here; --max_concurrency is for calls of a model",
    "--protocol": "without effect, as in KServe: use --predictor_protocol",
    "--tokenizer_revision": "without effect: the tokenizer comes with the model, of the same revision",
    "--disable_log_requests": "without effect: requests are logged where --log-url says, and nowhere else",
    "--max_log_len": "without effect: requests are logged where --log-url says, as a whole",
    "--max-log-len": "without effect: requests are logged where --log-url says, as a whole",
}
"""What the start's warning says of each."""


def warnings(found: argparse.Namespace) -> list[str]:
    return [f"{flag}: {WITHOUT_EFFECT[flag]}" for flag in without_effect(found)]


def add_server_flags(to: argparse.ArgumentParser) -> None:
    to.add_argument("--http_port", type=port, default=HTTP_PORT, help="REST port; 0 lets the system choose")
    to.add_argument("--workers", type=count, default=1, help="processes that share the port")
    to.add_argument(
        "--max_threads", type=int, default=4, action=WithoutEffect, help="without effect: gRPC needs no threads here"
    )
    to.add_argument(
        "--max_asyncio_workers",
        type=count,
        help="threads of the loop's executor, which loads models and iterates streamed answers; CPUs + 4, 32 at most, "
        "when not given",
    )
    to.add_argument("--event-loop", choices=("auto", "asyncio", "uvloop"), default="auto", help="auto is uvloop")
    to.add_argument("--timeout-keep-alive", type=positive, default=65, help="seconds that an idle connection is kept")
    to.add_argument(
        "--enable_tracing",
        type=yes_or_no,
        help="OpenTelemetry spans (extra otel); by the OTEL_ variables when not given",
    )
    to.add_argument("--enable_docs_url", type=yes_or_no, default=False, help="a page of the endpoints at /docs")
    to.add_argument("--access_log_format", help="a line of %%(field)s for each request, or json; none when not given")
    _add_grpc_flags(to)


def _add_grpc_flags(to: argparse.ArgumentParser) -> None:
    to.add_argument("--enable_grpc", type=yes_or_no, default=True, help="listen for gRPC")
    to.add_argument("--grpc_port", type=port, help=f"{PORT} when not given; 0 lets the system choose")
    for direction in ("send", "receive"):
        to.add_argument(
            f"--grpc_max_{direction}_message_length",
            type=message_length,
            default=MESSAGE_LENGTH,
            help=f"bytes of the largest message that the gRPC port {direction}s; -1 is no limit",
        )
    to.add_argument("--ssl_certfile", help="certificate (PEM): both ports speak TLS")
    to.add_argument("--ssl_keyfile", help="the certificate's key (PEM)")


def add_grpc_extras(to: argparse.ArgumentParser) -> None:
    """What KServe's servers have no flags for."""
    to.add_argument("--grpc_compression", choices=("none", "gzip"), default="none", help="of the gRPC port's answers")
    to.add_argument("--ssl_ca_certs", type=Path, help="clients must show a certificate signed by it")


def grpc_flags(found: argparse.Namespace) -> GrpcFlags:
    """What the command line says; raises ValueError for what does not fit together."""
    tls = tls_files(found.ssl_certfile, found.ssl_keyfile, found.ssl_ca_certs)
    return GrpcFlags(
        found.enable_grpc,
        found.grpc_port,
        found.grpc_max_send_message_length,
        found.grpc_max_receive_message_length,
        found.grpc_compression == "gzip",
        tls,
    )


def tls_files(certificate: str | None, key: str | None, ca: Path | None = None) -> TlsFiles | None:
    """None without TLS; ValueError for one of the two alone."""
    if bool(certificate) != bool(key):
        raise ValueError("--ssl_certfile and --ssl_keyfile belong together")
    return TlsFiles(Path(certificate), Path(key), ca) if certificate and key else None


def add_execution_flags(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "--max_batch_size",
        type=count,
        help=f"rows of waiting requests that run together at most; 1 runs each alone ({MAX_BATCH_SIZE} when not given)",
    )
    to.add_argument(
        "--max_latency", type=no_less_than_0, help="milliseconds that a request may wait for others to join it"
    )
    to.add_argument("--max_concurrency", type=count, default=1, help="runs of one model at the same time, on threads")
    to.add_argument(
        "--max_queue", type=no_less_than_0, default=MAX_QUEUE, help="requests that may wait for a model; more get 503"
    )
    to.add_argument(
        "--request_timeout", type=positive, help="seconds after which a request gets 504 (no limit when not given)"
    )


def execution(found: argparse.Namespace) -> Execution:
    return Execution(
        max_batch_size=found.max_batch_size,
        max_latency=None if found.max_latency is None else found.max_latency / 1000,
        max_concurrency=found.max_concurrency,
        max_queue=int(found.max_queue),
        request_timeout=found.request_timeout,
    )


def with_batcher(execution: Execution, batcher: BatcherSettings | None) -> Execution:
    """What KServe's batcher is asked for goes before this server's own flags."""
    if batcher is None:
        return execution
    limit = execution.request_timeout
    if batcher.timeout is not None:
        limit = min(batcher.max_latency + batcher.timeout, limit or math.inf)
    return replace(
        execution,
        max_batch_size=batcher.max_batch_size,
        max_latency=batcher.max_latency or execution.max_latency,
        request_timeout=limit,
        batcher=True,
    )


def yes_or_no(text: str) -> bool:
    try:
        return strtobool(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected true or false, got {text}") from error


def count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {number}")
    return number


def message_length(text: str) -> int:
    number = int(text)
    if number < -1:
        raise argparse.ArgumentTypeError(f"expected bytes, or -1 for no limit, got {number}")
    return number


def port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {number}")
    return number


def retries(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {number}")
    return number


def no_less_than_0(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {text}")
    return number


def positive(text: str) -> float:
    seconds = float(text)
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text}")
    return seconds
