"""How a container of ours tells its keeper why it failed: over the readiness pipe, and in the termination log."""

from collections.abc import Mapping
from pathlib import Path

from inferplane.assembly.readiness import Event, announce

TERMINATION_LOG = "INFERPLANE_TERMINATION_LOG"
"""Names the file whose text becomes `state.terminated.message`."""


def announce_failure(environ: Mapping[str, str], reason: str, message: str) -> None:
    leave_message(environ, message)
    announce(environ, Event(event="failed", reason=reason, message=message))


def leave_message(environ: Mapping[str, str], message: str) -> None:
    file = environ.get(TERMINATION_LOG, "")
    if file:
        Path(file).write_text(message)
