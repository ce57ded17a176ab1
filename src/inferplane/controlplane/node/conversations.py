"""`exec` and `attach` as conversations over a WebSocket: channels (`resources.channels`) on one side, a command or a
container's log on the other. Each ends with a Status on the error channel, unless the client has left.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Protocol

import msgspec

from inferplane.controlplane.node import descriptors
from inferplane.controlplane.node.execution import Execution
from inferplane.controlplane.node.procfs import Identity
from inferplane.resources import channels


class Peer(Protocol):
    """The client's side: whole binary messages. `receive` ends when the client has left."""

    def receive(self) -> AsyncIterator[bytes]: ...

    async def send(self, message: bytes) -> None:
        """The message is on its way at once, even when the wait for room for more is cancelled.

        Raises ConnectionError when the client has left.
        """
        ...


class _Size(msgspec.Struct, frozen=True, rename="pascal"):
    """A terminal's size in characters."""

    width: int
    height: int


@dataclass(slots=True)
class CommandConversation:
    """A command beside the run whose process is `container`: when that ends, so does the command."""

    peer: Peer
    execution: Execution
    container: Identity

    async def run(self) -> None:
        execution = self.execution
        try:
            await _greet(self.peer)
            code = await self._until_ended()
            if code is not None:
                await self.peer.send(channels.error_message(channels.ended(code)))
        except ConnectionError:
            pass  # the client has left: nobody asks for the end any more
        finally:
            execution.kill()
            # Not to be cut short: the process would stay a zombie.
            await asyncio.shield(execution.ended())
            execution.close()

    async def _until_ended(self) -> int | None:
        """The exit code; None when the client has left."""
        listening = asyncio.create_task(self._listen())
        sending = asyncio.create_task(self._carry_all())
        ending = asyncio.create_task(self.execution.ended())
        watching = asyncio.create_task(descriptors.ended(self.container.pid))
        try:
            done, _ = await asyncio.wait({listening, ending, watching}, return_when=asyncio.FIRST_COMPLETED)
            if ending not in done and listening in done:
                listening.result()
                return None
            self.execution.kill()  # it ended, or has to
            code = await ending
            # A process that left the session may hold the streams open for ever: what is there now is all.
            await _cancelled(sending)
            await self._carry_rest()
            return code
        finally:
            await _cancelled(listening, sending, ending, watching)

    async def _carry_all(self) -> None:
        await asyncio.gather(self._carry(channels.STDOUT), self._carry(channels.STDERR))

    async def _carry(self, channel: int) -> None:
        """All that the command says on a stream."""
        source = self.execution.stdout if channel == channels.STDOUT else self.execution.stderr
        if source < 0:
            return
        async for block in descriptors.blocks(source):
            await self.peer.send(channels.message(channel, block))

    async def _carry_rest(self) -> None:
        for channel, source in ((channels.STDOUT, self.execution.stdout), (channels.STDERR, self.execution.stderr)):
            while source >= 0 and (block := descriptors.at_hand(source)):
                await self.peer.send(channels.message(channel, block))

    async def _listen(self) -> None:
        """Until the client has left."""
        async for message in self.peer.receive():
            if message:
                await self._obey(message[0], message[1:])

    async def _obey(self, channel: int, data: bytes) -> None:
        match channel:
            case channels.STDIN:
                await self._feed(data)
            case channels.CLOSE if data[:1] == bytes((channels.STDIN,)):
                self.execution.close_stdin()
            case channels.RESIZE:
                with contextlib.suppress(msgspec.DecodeError):  # a size that we can't read changes nothing
                    size = msgspec.json.decode(data, type=_Size)
                    self.execution.resize(size.width, size.height)

    async def _feed(self, data: bytes) -> None:
        if self.execution.stdin < 0:
            return
        try:
            await descriptors.write(self.execution.stdin, data)
        except OSError:
            self.execution.close_stdin()  # the command reads no more, and may say more


async def follow(peer: Peer, log: AsyncIterator[bytes]) -> None:
    """`attach`: what the container says from now on. What the client says has nowhere to go."""
    with contextlib.suppress(ConnectionError):  # the client has left
        await _greet(peer)
        if await _before(_all(peer, log), _drain(peer)):
            await peer.send(channels.error_message(channels.success()))


async def refuse(peer: Peer, why: str) -> None:
    """The whole conversation of a command that can't be run."""
    with contextlib.suppress(ConnectionError):
        await peer.send(channels.error_message(channels.failed(why)))


async def _greet(peer: Peer) -> None:
    """An empty message tells the client that the conversation has begun."""
    await peer.send(channels.message(channels.STDOUT, b""))


async def _all(peer: Peer, log: AsyncIterator[bytes]) -> None:
    async for block in log:
        await peer.send(channels.message(channels.STDOUT, block))


async def _drain(peer: Peer) -> None:
    async for _ in peer.receive():
        continue


async def _before(work: Coroutine[object, object, None], other: Coroutine[object, object, None]) -> bool:
    """Runs both until one has ended; was that `work`?"""
    first, second = asyncio.create_task(work), asyncio.create_task(other)
    try:
        done, _ = await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        if first in done:
            first.result()
        return first in done
    finally:
        await _cancelled(first, second)


async def _cancelled(*tasks: asyncio.Task[None] | asyncio.Task[int]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
