"""TorchServe behind our own server, in one container (image `pytorch/torchserve-kfs`).

Takes what KServe's runtime gives that image, `torchserve --start --model-store=… --ts-config=…`, then flags of ours.
Fit to be called in a process forked from one that has imported this module: importing starts no loop, thread or socket.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from inferplane.assembly.announcement import announce_failure
from inferplane.assembly.model_server_grpc import PORT as GRPC_PORT
from inferplane.assembly.serving_api import ModelServer
from inferplane.assembly.serving_flags import flags
from inferplane.assembly.standard_error import log_to_stderr
from inferplane.dataplane.foreign.torchserve import TorchServe, TorchServeModel, Workplace, planned
from inferplane.kernel.errors import InferplaneError

log = logging.getLogger("inferplane.torchserve")

STARTED_BADLY = 1
MODEL_STORE = Path("/mnt/models/model-store")
CONFIG = Path("/mnt/models/config/config.properties")
_TERMINATED = 128 + signal.SIGTERM


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit code: 1 when a model cannot be served."""
    arguments = sys.argv[1:] if argv is None else argv
    log_to_stderr(os.environ)
    # While nothing is served there is nothing to end in good order but TorchServe.
    signal.signal(signal.SIGTERM, _leave)
    try:
        _serve(*read(arguments))
    except InferplaneError as error:
        log.error("cannot serve: %s", error)
        announce_failure(os.environ, "ModelLoadFailed", str(error))
        return STARTED_BADLY
    return 0


def read(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """TorchServe's own flags; and those of them that are handed on to it as they are."""
    reader = argparse.ArgumentParser(prog="torchserve", add_help=False, allow_abbrev=False)
    reader.add_argument("--model-store", type=Path, default=MODEL_STORE)
    reader.add_argument("--ts-config", type=Path, default=CONFIG)
    handed_on = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("--log-config", "--plugins-path", "--workflow-store", "--cpp-log-config"):
        handed_on.add_argument(name)
    handed_on.add_argument("--enable-model-api", action="store_true")
    given = vars(handed_on.parse_known_args(arguments)[0])
    options = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}") for name, value in given.items() if value
    ]
    found = reader.parse_known_args(arguments)[0]
    # As in TorchServe, where the variable comes before the flag.
    found.ts_config = Path(os.environ.get("TS_CONFIG_FILE") or found.ts_config)
    return found, options


def _serve(found: argparse.Namespace, options: list[str]) -> None:
    server = ModelServer()
    given, host = flags(), os.environ.get("POD_IP") or "127.0.0.1"
    plan = planned(found.ts_config, found.model_store, os.environ, host, (server.http_port, GRPC_PORT))
    options.append(f"--model-store={found.model_store}")
    with Workplace() as directory:
        behind = TorchServe(plan, options, os.environ, directory)
        try:
            log.info("waiting for TorchServe models=%s", ",".join(one.name for one in plan.models))
            behind.wait()
            names = dict.fromkeys(one.name for one in plan.models)
            timeout = float(given.predictor_request_timeout_seconds)
            server.start([TorchServeModel(name, behind, timeout, watching=at == 0) for at, name in enumerate(names)])
        finally:
            behind.stop()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(_TERMINATED)


if __name__ == "__main__":
    sys.exit(main())
