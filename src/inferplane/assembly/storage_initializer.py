"""The init container that brings models: pairs of storage URI and directory → files in those directories.

How far it is goes to the log, a line every two seconds, and into the termination message, where the node reads it (and
where it stays if the process is killed); the last message says what was fetched, or what went wrong.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from inferplane.assembly.announcement import leave_message
from inferplane.assembly.models import fetch
from inferplane.dataplane.storage.errors import scrubbed
from inferplane.kernel.errors import InferplaneError

USAGE = "usage: inferplane storage-initializer SOURCE DESTINATION [SOURCE DESTINATION …]"


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when every model is in place, else 1; what went wrong is one line on standard error."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or len(arguments) % 2:
        return _failed(f"{USAGE}: got {len(arguments)} arguments")
    done = []
    try:
        for source, destination in zip(arguments[::2], arguments[1::2], strict=True):
            done.append(fetch(source, Path(destination), os.environ, _say))
            print(f"storage-initializer: {done[-1]}", flush=True)
    except (InferplaneError, OSError) as error:
        return _failed(str(error))
    leave_message(os.environ, "\n".join(done))
    return 0


def warm() -> Callable[[], None]:
    """Has the zygote import what most fetches need; returns the rehearsal of its spares, a fetch from a directory."""
    from inferplane.dataplane.storage import http, s3  # noqa: F401

    return _rehearse


def _rehearse() -> None:
    with TemporaryDirectory() as directory:
        source = Path(directory) / "source"
        source.mkdir()
        (source / "model").touch()
        fetch(source.as_uri(), Path(directory) / "destination", {}, lambda _: None)


def _say(words: str) -> None:
    print(f"storage-initializer: {words}", flush=True)
    leave_message(os.environ, words)


def _failed(message: str) -> int:
    line = scrubbed(message)
    print(f"storage-initializer: {line}", file=sys.stderr, flush=True)
    leave_message(os.environ, line)
    return 1


if __name__ == "__main__":
    sys.exit(main())
