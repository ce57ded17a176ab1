"""The node's side of its keepers: starts them, connects to those that a former node left, asks them for processes.

`Keepers` hides which keeper has a run and whether that keeper still lives: `start` and `signal` go out, and `on_event`
is called with the id of each run whose record changed. A run whose keeper died is watched through a pidfd instead; its
exit code is then unknown, as a kubelet's is after a container runtime lost it.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from inferplane.controlplane.node import procfs, runs
from inferplane.controlplane.node.protocol import (
    ALREADY_RUNNING,
    Announcement,
    Close,
    Event,
    Exited,
    Hello,
    Launch,
    Ready,
    Request,
    RunId,
    Signal,
    Start,
    Started,
    decode_announcement,
    decode_event,
    line,
)
from inferplane.kernel.errors import InferplaneError

log = logging.getLogger(__name__)

_SOCKET_PREFIX = "keeper-"
IN_ENVIRONMENT = "env-"
"""What the names of keepers begin with that run in an environment of their own; its digest follows."""
_UNKNOWN_EXIT = 137
# For runs that nobody has asked to end when their keeper must. Seconds.
_LAST_GRACE = 10.0
_ASK_OTHER_EVERY, _ASK_OTHER_TIMES = 0.02, 50


# Libraries read these once, when they are loaded: in the zygote. Pools of threads would be gone after the fork, where
# OpenMP's waits for them for ever, and each pod would have one for all processors of the machine.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class KeeperFailed(InferplaneError):
    """A keeper could not be started, most often because a module to preload is not installed."""


@dataclass(frozen=True, slots=True)
class KeeperSpec:
    """`name` is unique among keepers that differ in anything. `preload` as in `inferplane.assembly.keeper`.

    `python` is the interpreter of an environment of its own; "": the platform's.
    """

    name: str
    preload: tuple[str, ...] = ()
    python: str = ""


@dataclass(slots=True)
class _Connection:
    name: str
    writer: asyncio.StreamWriter
    hello: asyncio.Future[Hello]
    reading: asyncio.Task[None] | None = None

    def send(self, request: Request) -> None:
        self.writer.write(line(request))


@dataclass(slots=True)
class Keepers:
    """`sockets` and `logs` are directories. `environment` is what keepers get: PATH and alike, nothing of a pod."""

    sockets: Path
    logs: Path
    environment: Mapping[str, str]
    on_event: Callable[[RunId], None]
    _connections: dict[str, _Connection] = field(default_factory=dict)
    _starting: dict[str, asyncio.Task[_Connection]] = field(default_factory=dict)
    _spawned: dict[str, int] = field(default_factory=dict)
    _living: dict[RunId, str] = field(default_factory=dict)
    _orphans: dict[RunId, tuple[procfs.Identity, int]] = field(default_factory=dict)
    _unused: set[str] = field(default_factory=set)

    async def adopt(self) -> None:
        """Connects to every keeper that a former node left running; removes the sockets of those that ended."""
        for path in sorted(self.sockets.glob(f"{_SOCKET_PREFIX}*.sock")):
            name = path.stem.removeprefix(_SOCKET_PREFIX)
            if name in self._connections or name in self._starting:
                continue
            try:
                await self._connect(name)
            except (ConnectionRefusedError, FileNotFoundError):
                path.unlink(missing_ok=True)

    @property
    def names(self) -> list[str]:
        return sorted(self._connections)

    async def ready(self, spec: KeeperSpec) -> None:
        """Returns when the keeper of that spec is connected, starting it first if need be. Raises KeeperFailed."""
        if spec.name in self._connections:
            return
        task = self._starting.get(spec.name)
        if task is None:
            task = self._starting[spec.name] = asyncio.create_task(self._spawn(spec), name=f"keeper-{spec.name}")
            task.add_done_callback(lambda _: self._starting.pop(spec.name, None))
        await asyncio.shield(task)

    def start(self, launch: Launch, keeper: str) -> None:
        """The keeper must be `ready`. The outcome comes as events; an unwritten record means that it never started."""
        self._living[launch.id] = keeper
        self._connections[keeper].send(Start(launch=launch))

    def adopt_run(self, id: RunId, run: runs.Run) -> bool:
        """Takes up a run without an exit from a former node's time; False when its process is gone for good."""
        if run.keeper in self._connections and self._living.get(id) == run.keeper:
            return True
        if run.process is None or not procfs.alive(run.process):
            return False
        self._orphan(id, run.process)
        return True

    def signal(self, id: RunId, number: int) -> None:
        """To the run's process group; SIGKILL to all of its session. Does nothing when it ended already."""
        if (keeper := self._living.get(id)) is not None and keeper in self._connections:
            self._connections[keeper].send(Signal(id=id, number=number))
        elif id in self._orphans:
            _signal_orphan(self._orphans[id][0], number)

    def retire(self, wanted: Sequence[KeeperSpec]) -> None:
        """Ends keepers that have no run and that no new run will use, such as those of a former image table."""
        keep = {spec.name for spec in wanted} | self.busy
        for name, connection in self._connections.items():
            if name not in keep and not name.startswith(IN_ENVIRONMENT):
                connection.send(Close())

    @property
    def busy(self) -> set[str]:
        """Names of keepers with living runs."""
        return set(self._living.values())

    def retire_unused(self, kept: Collection[str] = ()) -> None:
        """Ends those of environments that had no run at the last call and have none now: each holds its libraries.

        `kept` are names of keepers that are wanted without a run.
        """
        unused = {name for name in self._connections if name.startswith(IN_ENVIRONMENT)} - self.busy - {*kept}
        for name in unused & self._unused:
            self._connections[name].send(Close())
        self._unused = unused - self._unused

    async def close(self) -> None:
        """Ends all keepers. Runs should have ended by now; those that have not are ended, too."""
        await self._stop_starting()
        readers = [one.reading for one in self._connections.values() if one.reading is not None]
        for connection in list(self._connections.values()):
            connection.send(Close())
        self._signal_all(signal.SIGTERM)
        if readers:
            await asyncio.wait(readers, timeout=_LAST_GRACE)
        self._signal_all(signal.SIGKILL)
        await asyncio.gather(*readers)

    async def _stop_starting(self) -> None:
        """Keepers that are still importing can't be asked; they have no runs yet."""
        tasks = list(self._starting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name in [name for name in self._spawned if name not in self._connections]:
            pid = self._spawned.pop(name)
            os.kill(pid, signal.SIGKILL)
            await _reaped(pid)

    def _signal_all(self, number: int) -> None:
        for run in [*self._living, *self._orphans]:
            self.signal(run, number)

    async def leave(self) -> None:
        """Disconnects and leaves keepers and runs to the next node."""
        for task in list(self._starting.values()):
            task.cancel()
        for connection in list(self._connections.values()):
            if connection.reading is not None:
                connection.reading.cancel()
            connection.writer.close()
        for _, descriptor in self._orphans.values():
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)

    # --- one keeper ---------------------------------------------------------------------------------------------------

    def _socket(self, name: str) -> Path:
        return self.sockets / f"{_SOCKET_PREFIX}{name}.sock"

    async def _spawn(self, spec: KeeperSpec) -> _Connection:
        reading, writing = os.pipe()
        command = [spec.python or sys.executable, "-m", "inferplane.assembly.keeper"]
        command += ["--socket", str(self._socket(spec.name)), "--name", spec.name]
        command += [word for module in spec.preload for word in ("--preload", module)]
        environment = {**_ONE_THREAD, **self.environment, "INFERPLANE_READY_FD": str(writing)}
        try:
            self._spawned[spec.name] = _spawn(command, environment, self.logs / f"keeper-{spec.name}.log", writing)
        finally:
            os.close(writing)
        said = await _first_line(reading)
        if said is not None and said.reason == ALREADY_RUNNING:
            await _reaped(self._spawned.pop(spec.name))
            return await self._await_other(spec)
        if said is None or said.event != "ready":
            await _reaped(self._spawned.pop(spec.name))
            message = said.message if said else f"it ended without a word; see {self.logs}/keeper-{spec.name}.log"
            raise KeeperFailed(message)
        return await self._connect(spec.name)

    async def _await_other(self, spec: KeeperSpec) -> _Connection:
        """A former node's keeper is still importing: connects once it listens. If it fails, ours is next."""
        for _ in range(_ASK_OTHER_TIMES):
            try:
                return await self._connect(spec.name)
            except (ConnectionRefusedError, FileNotFoundError):
                await asyncio.sleep(_ASK_OTHER_EVERY)
        return await self._spawn(spec)

    async def _connect(self, name: str) -> _Connection:
        reader, writer = await asyncio.open_unix_connection(str(self._socket(name)))
        connection = _Connection(name, writer, asyncio.get_running_loop().create_future())
        connection.reading = asyncio.create_task(self._read(connection, reader), name=f"keeper-{name}-events")
        await connection.hello
        self._connections[name] = connection
        return connection

    async def _read(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        try:
            while text := await reader.readline():
                try:
                    self._heard(connection, decode_event(text))
                except msgspec.DecodeError as error:
                    # A keeper of another version may tell more than we know.
                    log.warning("event of keeper %s not understood: %s", connection.name, error)
        except ConnectionError:
            pass  # as if it had closed: it is gone either way
        connection.writer.close()
        if not connection.hello.done():
            connection.hello.set_exception(ConnectionRefusedError(f"keeper {connection.name} closed its socket"))
        await self._lost(connection)

    def _heard(self, connection: _Connection, event: Event) -> None:
        match event:
            case Hello(runs=living):
                self._living.update(dict.fromkeys(living, connection.name))
                if not connection.hello.done():
                    connection.hello.set_result(event)
            case Started(id=id) | Ready(id=id):
                self._tell(id)
            case Exited(id=id):
                self._living.pop(id, None)
                self._tell(id)

    def _tell(self, run: RunId) -> None:
        try:
            self.on_event(run)
        except Exception:
            # What went wrong with one run must not cut us off from the keeper of all.
            log.exception("event of a run was not taken run=%s", run)

    async def _lost(self, connection: _Connection) -> None:
        """The keeper ended. Its runs may live: from now on we watch them ourselves."""
        # All in one step: the next keeper of that name must not lose runs that it gets meanwhile.
        self._connections.pop(connection.name, None)
        self._socket(connection.name).unlink(missing_ok=True)
        lost = [run for run, keeper in self._living.items() if keeper == connection.name]
        for run in lost:
            del self._living[run]
        for run in lost:
            self._tell(run)
        if (pid := self._spawned.pop(connection.name, None)) is not None:
            await _reaped(pid)

    # --- runs without a keeper ----------------------------------------------------------------------------------------

    def _orphan(self, id: RunId, process: procfs.Identity) -> None:
        if id in self._orphans:
            return
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            self._tell(id)
            return
        self._orphans[id] = (process, descriptor)
        asyncio.get_running_loop().add_reader(descriptor, self._orphan_ended, id)

    def _orphan_ended(self, id: RunId) -> None:
        _, descriptor = self._orphans.pop(id)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        self._tell(id)


def lost_exit(directory: Path, run: runs.Run) -> runs.Run:
    """Records that a run without a keeper has ended, with the code that a kubelet gives to a lost container."""
    ended = runs.Exit(
        code=_UNKNOWN_EXIT,
        at=time.time(),
        reason="ContainerStatusUnknown",
        message="the process ended while its keeper was not running, so its exit code is unknown",
    )
    run = msgspec.structs.replace(run, exit=ended)
    runs.write(directory, run)
    return run


def _signal_orphan(process: procfs.Identity, number: int) -> None:
    if not procfs.alive(process):
        return
    if number == signal.SIGKILL:
        procfs.kill_session(process)
    else:
        os.killpg(process.pid, number)


def _spawn(command: list[str], environment: Mapping[str, str], log: Path, inherited: int) -> int:
    """The pid of a process in a session of its own, with nothing on its standard input and `log` behind its outputs."""
    os.set_inheritable(inherited, True)
    appending = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    return os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), appending, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        # Signals that Python ignores (SIGPIPE among them) would stay ignored in the new process.
        setsigdef=[signal.SIGPIPE],
    )


async def _reaped(pid: int) -> None:
    await asyncio.to_thread(os.waitpid, pid, 0)


async def _first_line(descriptor: int) -> Announcement | None:
    """What the keeper announces; None when it ended first."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        text = await reader.readline()
    finally:
        transport.close()
    return decode_announcement(text) if text else None
