"""Triton in a container (image `nvcr.io/nvidia/tritonserver`): the binary with what it needs, and why it failed.

Takes what KServe's runtime gives that image, `tritonserver --model-store=… --http-port=8080 …`. Triton speaks the
protocols by itself; this process only starts it, hands its output and signals on, and says in one line why it ended.
Fit to be called in a process forked from one that has imported this module.
"""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from inferplane.assembly.announcement import leave_message
from inferplane.assembly.standard_error import log_to_stderr
from inferplane.dataplane.foreign import triton
from inferplane.dataplane.foreign.process import Foreign
from inferplane.kernel.errors import InferplaneError

log = logging.getLogger("inferplane.triton")

STARTED_BADLY = 1
_EXPLICIT = "--model-control-mode=explicit"


class TritonFailed(InferplaneError):
    pass


def main(argv: Sequence[str] | None = None) -> int:
    """Returns Triton's exit code when it has ended, 1 when it cannot be started."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    log_to_stderr(os.environ)
    try:
        with tempfile.TemporaryDirectory(prefix="triton-") as directory:
            return _serve(arguments, Path(directory))
    except InferplaneError as error:
        log.error("cannot serve: %s", error)
        leave_message(os.environ, str(error))
        return STARTED_BADLY


def _serve(arguments: list[str], directory: Path) -> int:
    repository = triton.repository(arguments)
    if repository is not None and _EXPLICIT not in arguments and (why := triton.empty(repository)):
        raise TritonFailed(why)
    found = triton.installation(os.environ, directory)
    command = triton.command(found, arguments, os.environ.get("POD_IP") or "127.0.0.1")
    log.info("starting %s", " ".join(command))
    server = Foreign(command, triton.variables(found, os.environ), directory, piped=True)
    asked = _handing_on_signals(server)
    cause = triton.Cause()
    assert server.process.stdout is not None
    for line in server.process.stdout:
        os.write(1, line)
        cause.hear(line.decode(errors="replace"))
    code = server.process.wait()
    if code and not asked:
        raise TritonFailed(f"Triton ended with exit code {code}: {str(cause) or 'see its log'}")
    return 0 if asked else code


def _handing_on_signals(server: Foreign) -> list[int]:
    """Those that came, as they come."""
    came: list[int] = []

    def hand_on(number: int, frame: FrameType | None) -> None:
        came.append(number)
        server.process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hand_on)
    return came


if __name__ == "__main__":
    sys.exit(main())
