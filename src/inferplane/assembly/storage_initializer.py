"""The init container that brings models: pairs of storage URI and directory → files in those directories."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from inferplane.assembly.announcement import leave_message
from inferplane.dataplane.storage.local import fetch
from inferplane.kernel.errors import InferplaneError

USAGE = "usage: storage_initializer SOURCE DESTINATION [SOURCE DESTINATION …]"


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when every model is in place, else 1; what went wrong is one line on standard error."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or len(arguments) % 2:
        return _failed(f"{USAGE}: got {len(arguments)} arguments")
    try:
        for source, destination in zip(arguments[::2], arguments[1::2], strict=True):
            fetch(source, Path(destination))
            print(f"storage-initializer: {source} is at {destination}", flush=True)
    except (InferplaneError, OSError) as error:
        return _failed(str(error))
    return 0


def _failed(message: str) -> int:
    line = " ".join(message.split())
    print(f"storage-initializer: {line}", file=sys.stderr, flush=True)
    leave_message(os.environ, line)
    return 1


if __name__ == "__main__":
    sys.exit(main())
