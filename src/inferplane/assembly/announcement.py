"""How a container of ours tells its keeper that it is ready, or why it will never be."""

import os
from collections.abc import Mapping
from pathlib import Path

import orjson

READY_FD = "INFERPLANE_READY_FD"
TERMINATION_LOG = "INFERPLANE_TERMINATION_LOG"


class Announcement:
    """One line of JSON into an inherited pipe, then the pipe is closed; the text of a failure also goes to a file."""

    def __init__(self, pipe: int | None, termination_log: Path | None) -> None:
        self._pipe = pipe
        self._termination_log = termination_log

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Announcement":
        pipe = environment.get(READY_FD, "")
        file = environment.get(TERMINATION_LOG, "")
        return cls(int(pipe) if pipe.isdigit() else None, Path(file) if file else None)

    def ready(self) -> None:
        self._say({"event": "ready"})

    def failed(self, reason: str, message: str) -> None:
        if self._termination_log is not None:
            self._termination_log.write_text(message)
        self._say({"event": "failed", "reason": reason, "message": message})

    def _say(self, event: dict[str, str]) -> None:
        if self._pipe is None:
            return
        pipe, self._pipe = self._pipe, None
        try:
            os.write(pipe, orjson.dumps(event) + b"\n")
        except BrokenPipeError:
            pass  # whoever listened is gone; the model serves all the same
        finally:
            os.close(pipe)
