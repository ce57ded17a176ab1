"""Entry point of keeper and zygote processes: `-m inferplane.assembly.keeper --socket PATH --name NAME [--preload M]`.

Started by the node, in a session of its own, and left behind when the node goes. `--preload` names a module to import
or a `module:function` to call after that; what the function returns, if anything, is a rehearsal, called here and again
in each spare (`controlplane.node.spare`). Announces `ready` when it listens, or `failed` with the import's error.
"""

import argparse
import ctypes
import gc
import hashlib
import importlib
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from inferplane.assembly import holes
from inferplane.assembly.readiness import READY, VARIABLE, Event, announce
from inferplane.controlplane.node import fork, spare
from inferplane.controlplane.node.keeper import Keeper
from inferplane.controlplane.node.protocol import ALREADY_RUNNING

_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NAME = 15
# After so many the interpreter has specialized the code and filled its caches: a fork would do it in pages of its own.
_REHEARSALS = 3


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_NAME, f"ip-{options.name}".encode()[:15], 0, 0, 0)
    lock = _only_one(Path(options.socket))
    if lock is None:
        announce(os.environ, Event(event="failed", reason=ALREADY_RUNNING, message="another keeper has that socket"))
        return 1
    environ = _silenced()
    # Nothing made while importing is garbage; collecting meanwhile costs a third of the import's time.
    gc.disable()
    try:
        loaded = [_load(name) for name in options.preload]
        rehearsals = [one for one in loaded if one is not None]
    except Exception as error:
        announce(environ, Event(event="failed", reason="ImportFailed", message=f"{type(error).__name__}: {error}"))
        return 1
    for _ in range(_REHEARSALS):
        spare.rehearse(rehearsals)
    listener = _listen(Path(options.socket))
    # A collection in a fork would write to every object's header and so copy the pages that forks share.
    gc.collect()
    fillers = holes.filled()
    gc.freeze()
    announce(environ, READY)
    launch = Keeper(listener, options.name, lock, rehearsals=rehearsals if loaded else None).serve()
    if launch is not None:
        fork.run(launch)
    del fillers  # as long as there are forks
    Path(options.socket).unlink(missing_ok=True)
    return 0


def _silenced() -> dict[str, str]:
    """The variables that are needed to announce, which a rehearsal must not find."""
    return {VARIABLE: os.environ.pop(VARIABLE, "")}


def _load(name: str) -> Callable[[], object] | None:
    """The rehearsal, if there is one."""
    module, _, function = name.partition(":")
    loaded = importlib.import_module(module)
    found = getattr(loaded, function)() if function else None
    return found if callable(found) else None


def _only_one(path: Path) -> socket.socket | None:
    """Held as long as we live; None while another keeper of the same socket starts or runs (one of a former node, say).

    An abstract address (unix(7)): it needs no file and goes with the process.
    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lock.bind(f"\0{lock_name(path)}")
    except OSError:
        lock.close()
        return None
    return lock


def lock_name(path: Path) -> str:
    """Of the keeper with this socket."""
    return "inferplane-keeper-" + hashlib.sha256(os.fsencode(path.absolute())).hexdigest()


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(16)
    return listener


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="inferplane-keeper", description="Forks pods' processes and stays their parent."
    )
    parser.add_argument("--socket", required=True, help="where to listen for the node")
    parser.add_argument("--name", required=True, help="written to the records of the runs that it keeps")
    parser.add_argument("--preload", action="append", default=[], help="MODULE to import or MODULE:FUNCTION to call")
    return parser


if __name__ == "__main__":
    sys.exit(main())
