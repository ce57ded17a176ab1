"""A running platform as seen from outside: is there one, where does it answer, which processes is it made of."""

import fcntl
import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from inferplane.assembly.home import Home
from inferplane.kernel.errors import InferplaneError

SUPERVISOR = "supervisor"
CONTROL_PLANE = "control-plane"
NODE = "node"
GATEWAY = "envoy"


class Platform(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `platform.json` holds and `inferplane status -o json` prints."""

    gateway: str
    api: str
    kubeconfig: str
    home: str
    processes: dict[str, int]
    # A pid alone may have been given to another process since: seconds since boot tell them apart.
    started: dict[str, float] = {}

    def alive(self, process: str) -> psutil.Process | None:
        """The living process of that name, or None when it ended (even if its pid is in use again)."""
        pid = self.processes.get(process)
        if pid is None:
            return None
        try:
            found = psutil.Process(pid)
            same = started_at(pid) == self.started.get(process)
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return None


def started_at(pid: int) -> float:
    """When a process started, in seconds since boot (proc(5), field 22 of stat). Unlike `psutil`'s
    `create_time`, it does not shift when somebody sets the system's clock. Raises FileNotFoundError when it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def ends_within(pid: int, seconds: float) -> bool:
    """Waits for a process that need not be our child. A zombie counts as ended: how soon it is reaped is up to init."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        return bool(poller.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def recorded(home: Home) -> Platform | None:
    """What the last supervisor of this home wrote, whether or not it still runs."""
    try:
        return msgspec.json.decode(home.platform_file.read_bytes(), type=Platform)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise InferplaneError(f"{home.platform_file}: {error}", fix="remove the file and run  inferplane up") from error


def running(home: Home) -> Platform | None:
    """The platform of this home if its supervisor is alive."""
    platform = recorded(home)
    return platform if platform is not None and platform.alive(SUPERVISOR) else None


def record(home: Home, platform: Platform) -> None:
    """Replaces `platform.json` in one step: a reader sees the old one or the new one, whole."""
    draft = home.platform_file.with_suffix(".new")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(platform), indent=2) + b"\n")
    draft.replace(home.platform_file)


@contextmanager
def only_supervisor(home: Home) -> Iterator[None]:
    """Holds the home's lock; it goes with the process, so a killed supervisor leaves nothing behind."""
    descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InferplaneError(
                f"a platform is already running in {home.root}", fix="see  inferplane status  or set INFERPLANE_HOME"
            ) from None
        yield
    finally:
        os.close(descriptor)
