"""What the workers of one model server and their parent say to each other: datagrams of JSON over a socket pair.

A worker says that it is `ready` or `failed`, and asks that a model be loaded or unloaded everywhere. The parent passes
that on to all workers, gathers what became of it, and tells the one that asked.
"""

import asyncio
import itertools
import socket

import msgspec

from inferplane.dataplane.model.repository import ModelRepository, ModelRepositoryExtension
from inferplane.inference.errors import ModelNotFound, ModelNotReady
from inferplane.kernel.errors import InferplaneError

LARGEST = 64 * 1024


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`event`: ready, failed (worker → parent), load, unload (both ways), done (both ways). `error` empty is success.

    `kind` is the error's class name. `number` is the asker's; from the parent to a worker it is the parent's own.
    """

    event: str
    name: str = ""
    number: int = 0
    kind: str = ""
    error: str = ""


class Channel:
    """One end. Messages keep their bounds and their order; an empty one is the other end's end."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.end = end

    def send(self, message: Message) -> None:
        """A peer that has gone, or does not read, is told nothing: its end is noticed elsewhere."""
        try:
            self.end.send(msgspec.json.encode(message)[:LARGEST])
        except (BrokenPipeError, ConnectionError, BlockingIOError):
            pass

    def receive(self) -> Message | None:
        """The next message; None when the other end is closed."""
        try:
            data = self.end.recv(LARGEST)
        except ConnectionError:
            return None
        return msgspec.json.decode(data, type=Message) if data else None


def pair() -> tuple[Channel, Channel]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(one), Channel(other)


class WorkerEnd:
    """A worker's end: carries out what the parent passes on, and asks for what all workers are to do."""

    def __init__(self, channel: Channel, repository: ModelRepository, stop: asyncio.Event) -> None:
        self._channel = channel
        self._local = ModelRepositoryExtension(repository)
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop.add_reader(channel.end, self._readable)

    def say(self, message: Message) -> None:
        self._channel.send(message)

    async def everywhere(self, event: str, name: str) -> None:
        """Has every worker `load` or `unload` a model; raises what the first failing one raised."""
        number = next(self._numbers)
        answer = self._asked[number] = self._loop.create_future()
        self._channel.send(Message(event=event, name=name, number=number))
        try:
            done = await answer
        finally:
            del self._asked[number]
        if done.error:
            raise _error(done, name)

    def close(self) -> None:
        self._loop.remove_reader(self._channel.end)

    def _readable(self) -> None:
        message = self._channel.receive()
        if message is None:
            # The parent has died; nobody would replace us or stop us.
            self.close()
            self._stop.set()
        elif message.event == "done":
            asked = self._asked.get(message.number)
            if asked is not None and not asked.done():
                asked.set_result(message)
        else:
            task = self._loop.create_task(self._carry_out(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, message: Message) -> None:
        kind = error = ""
        try:
            await (self._local.load if message.event == "load" else self._local.unload)(message.name)
        except InferplaneError as failure:
            kind, error = type(failure).__name__, str(failure)
        except Exception as failure:
            kind, error = type(failure).__name__, f"{type(failure).__name__}: {failure}"
        self._channel.send(Message(event="done", number=message.number, kind=kind, error=error))


def _error(done: Message, name: str) -> Exception:
    if done.kind == "ModelNotFound":
        return ModelNotFound(name)
    if done.kind == "ModelNotReady":
        return ModelNotReady(name, done.error.partition(" is not ready. ")[2])
    return InferplaneError(done.error)
