"""The record of one run of a container, on disk: `ATTEMPT.json` beside `ATTEMPT.log`, in the container's directory.

The keeper writes it, when a run starts, is ready and ends; the node reads it. It is the truth about a run: it survives
the node, the keeper and the machine.
"""

import os
from pathlib import Path

import msgspec

from inferplane.controlplane.node.procfs import Identity


class Exit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a run ended. `code` is 128 + signal for a process that a signal ended, as container runtimes say it.

    `reason` and `message` are empty unless there is something to say beyond the code. The node adds the message that it
    finds in the termination log, and the reason `NodeShutdown` to what it ended in order to end itself.
    """

    code: int
    at: float
    signal: int = 0
    reason: str = ""
    message: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Times are seconds since the epoch. `failures`: how many runs in a row ended before this one.

    `announces`: the process speaks the readiness protocol; `ready_at` is when it said so, 0.0 before.
    """

    attempt: int
    process: Identity | None
    keeper: str
    started_at: float
    announces: bool = False
    ready_at: float = 0.0
    failures: int = 0
    exit: Exit | None = None


def record_path(directory: Path, attempt: int) -> Path:
    return directory / f"{attempt}.json"


def log_path(directory: Path, attempt: int) -> Path:
    return directory / f"{attempt}.log"


def write(directory: Path, run: Run) -> None:
    """Replaces the record in one step: a reader sees the old one or the new one, whole."""
    path = record_path(directory, run.attempt)
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(run))
    os.replace(draft, path)


def read(directory: Path, attempt: int) -> Run | None:
    """None when that run has no record: it was never started."""
    try:
        return msgspec.json.decode(record_path(directory, attempt).read_bytes(), type=Run)
    except FileNotFoundError:
        return None


def attempts(directory: Path) -> list[int]:
    """The numbers of the runs that have a record, oldest first."""
    if not directory.is_dir():
        return []
    return sorted(int(path.stem) for path in directory.glob("*.json") if path.stem.isdecimal())


def history(directory: Path) -> list[Run]:
    return [run for attempt in attempts(directory) if (run := read(directory, attempt)) is not None]


def forget(directory: Path, attempt: int) -> None:
    """Removes a run's record, log and all that is kept beside them."""
    for path in directory.glob(f"{attempt}.*"):
        path.unlink(missing_ok=True)
