"""The model server's flags: KServe's, by name and default, and a few of our own."""

import argparse
import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

from inferplane.assembly.huggingface_flags import add_huggingface_flags, huggingface_options, model_uri
from inferplane.assembly.model_server_grpc import GrpcFlags
from inferplane.assembly.predictor_flags import add_predictor_flags, asked_of_nobody, predictor
from inferplane.assembly.server_flags import (
    add_execution_flags,
    add_grpc_extras,
    add_server_flags,
    count,
    execution,
    grpc_flags,
    warnings,
    with_batcher,
    yes_or_no,
)
from inferplane.dataplane.agent.flags import add_agent_flags, agent_settings
from inferplane.dataplane.agent.settings import AgentSettings
from inferplane.dataplane.model.predictor import PredictorConfig
from inferplane.dataplane.runtimes.options import HuggingFaceOptions
from inferplane.dataplane.runtimes.registry import FORMATS
from inferplane.dataplane.server.http.access_log import AccessLog, UnknownField
from inferplane.dataplane.server.settings import Execution
from inferplane.kernel.errors import InferplaneError
from inferplane.resources.schemas.quantities import amount

ALLOWED_PICKLE_GLOBALS = "INFERPLANE_ALLOW_PICKLE_GLOBALS"


class UsageError(InferplaneError):
    """Flags that cannot be followed."""


@dataclass(frozen=True, slots=True)
class Options:
    """`host` empty means the environment's POD_IP, else all addresses. `max_request_size` is in bytes."""

    model_name: str
    model_dir: str
    format: str
    host: str
    http_port: int
    event_loop: str
    timeout_keep_alive: float
    max_request_size: int
    nthread: int
    predict_method: str
    providers: tuple[str, ...]
    device: str
    model_class_name: str
    allow_pickle_globals: tuple[str, ...]
    warmup: bool
    model_config_file: str
    workers: int
    execution: Execution
    grpc: GrpcFlags
    enable_tracing: bool | None
    enable_docs_url: bool
    access_log: AccessLog | None
    enable_latency_logging: bool
    configure_logging: bool
    log_config_file: str
    predictor: PredictorConfig
    max_asyncio_workers: int | None
    warnings: tuple[str, ...]
    agent: AgentSettings
    memory_limit: int | None
    """Bytes past which a server of many models unloads some."""
    huggingface: HuggingFaceOptions


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, fix="inferplane serve --help lists the flags")


def parse(arguments: Sequence[str]) -> Options:
    """Reads the command line; raises UsageError, or SystemExit after --help."""
    parser = _parser()
    found, unknown = parser.parse_known_args(arguments)
    directories = [word for word in unknown if not word.startswith("-")]
    wrong = [word for word in unknown if word.startswith("-")] or directories[1:]
    if wrong:
        raise _unknown(wrong[0], [option for action in parser._actions for option in action.option_strings])
    asked = predictor(found, os.environ)
    agent = agent_settings(found)
    if agent.puller is not None and found.workers > 1:
        raise UsageError("--enable-puller with --workers: each would load all models", fix="leave --workers out")
    return Options(
        model_name=found.model_name,
        model_dir=_directory(found, directories),
        format=found.format,
        host=found.host,
        http_port=found.http_port,
        event_loop=found.event_loop,
        timeout_keep_alive=found.timeout_keep_alive,
        max_request_size=found.max_request_size,
        nthread=found.nthread,
        predict_method=found.predict_method,
        providers=tuple(name for name in found.providers.split(",") if name),
        device=found.device,
        model_class_name=found.model_class_name,
        allow_pickle_globals=allowed_pickle_globals(found.allow_pickle_globals, os.environ),
        warmup=found.warmup,
        model_config_file=found.model_config_file,
        workers=found.workers,
        execution=with_batcher(execution(found), agent.batcher),
        grpc=_grpc(found),
        enable_tracing=found.enable_tracing,
        enable_docs_url=found.enable_docs_url,
        access_log=_access_log(found.access_log_format),
        enable_latency_logging=found.enable_latency_logging,
        configure_logging=found.configure_logging,
        log_config_file=found.log_config_file,
        predictor=asked,
        max_asyncio_workers=found.max_asyncio_workers,
        warnings=(*warnings(found), *asked_of_nobody(asked, asks=found.format == "huggingface")),
        agent=agent,
        memory_limit=found.memory_limit,
        huggingface=huggingface_options(found),
    )


@cache
def _parser() -> argparse.ArgumentParser:
    """Made once: a fork of a process that has parsed before only parses."""
    parser = _Parser(
        prog="inferplane serve",
        usage="inferplane serve DIR [flags]",
        description="Serve one model over the V1 and V2 protocols.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--model_name", default="model", help="the name in /v1/models/NAME and /v2/models/NAME")
    parser.add_argument(
        "--model_dir", default="", help="a directory, or its file:// URI, with the model's file: DIR says the same"
    )
    parser.add_argument("--format", default="", choices=sorted(FORMATS), help="told from the files when not given")
    parser.add_argument("--host", default="", help="address to listen on (POD_IP, or all addresses, when empty)")
    add_server_flags(parser)
    parser.add_argument(
        "--max_request_size", type=count, default=256 * 1024 * 1024, help="bytes of the largest body that is taken"
    )
    add_grpc_extras(parser)
    add_execution_flags(parser)
    _add_runtime_flags(parser)
    add_huggingface_flags(parser)
    _add_logging_flags(parser)
    add_predictor_flags(parser)
    add_agent_flags(parser)
    return parser


def _directory(found: argparse.Namespace, words: Sequence[str]) -> str:
    if words and found.model_dir:
        raise UsageError(f"two directories: {words[0]} and --model_dir={found.model_dir}", fix="give one")
    directory = words[0] if words else model_uri(found)
    if not directory:
        raise UsageError("no directory with a model is given", fix="inferplane serve DIR")
    return directory


def allowed_pickle_globals(flag: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Patterns of the flag, and of the variable that the platform makes of the service's annotation."""
    words = f"{flag},{environ.get(ALLOWED_PICKLE_GLOBALS, '')}".split(",")
    return tuple(word.strip() for word in words if word.strip())


def _access_log(format: str | None) -> AccessLog | None:
    try:
        return AccessLog(format) if format else None
    except UnknownField as error:
        raise UsageError(str(error)) from error


def _grpc(found: argparse.Namespace) -> GrpcFlags:
    try:
        return grpc_flags(found)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _add_runtime_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--framework",
        dest="format",
        default=argparse.SUPPRESS,
        choices=("sklearn", "xgboost", "lightgbm"),
        help="--format, as KServe's predictive server calls it",
    )
    parser.add_argument("--nthread", type=count, default=1, help="threads that one prediction may use")
    parser.add_argument(
        "--predict_method",
        default="",
        help="sklearn: the method to call, such as transform or decision_function (predict when empty)",
    )
    parser.add_argument(
        "--providers", default="", help="onnx: execution providers by preference, with commas (those of --device)"
    )
    parser.add_argument(
        "--device", default="", help="pytorch, onnx: such as cpu or cuda:1 (the first GPU when there is one)"
    )
    parser.add_argument(
        "--model_class_name",
        default="",
        help="pytorch: the class that a file of weights fills, where the .py file beside it has several",
    )
    parser.add_argument(
        "--warmup",
        type=yes_or_no,
        default=True,
        help="before the model is ready, have it answer the request in its example.json, if it has one",
    )
    parser.add_argument(
        "--allow_pickle_globals",
        default="",
        help="sklearn: what pickles may use beside the usual libraries, with commas, such as mymodule.* or ALL",
    )
    parser.add_argument(
        "--model_config_file",
        default="",
        help="tensorflow: the models, their versions and labels, as TensorFlow Serving is configured",
    )
    parser.add_argument(
        "--memory_limit",
        type=_bytes,
        default=None,
        help="with --enable-puller: memory of the process, such as 2Gi, past which models that were not used lately "
        "are unloaded (no limit when not given)",
    )


def _add_logging_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--enable_latency_logging",
        type=yes_or_no,
        default=False,
        help="log each request's stages (KServe's default is true; it doubles what a small request costs)",
    )
    parser.add_argument("--configure_logging", type=yes_or_no, default=True, help="log to standard error")
    parser.add_argument(
        "--log_config_file", default="", help="logging configuration: .json, .yaml, .yml or an ini file"
    )


def _bytes(text: str) -> int:
    try:
        found = int(amount(text))
    except ValueError:
        found = 0
    if found <= 0:
        raise argparse.ArgumentTypeError(f"expected a size such as 2Gi, got {text!r}")
    return found


def _unknown(argument: str, known: Sequence[str]) -> UsageError:
    flag = argument.partition("=")[0]
    near = difflib.get_close_matches(flag, known, n=1)
    return UsageError(
        f"unknown flag {flag}" if flag.startswith("-") else f"unexpected argument {argument!r}",
        fix=f"did you mean {near[0]}?" if near else "inferplane serve --help lists the flags",
    )
