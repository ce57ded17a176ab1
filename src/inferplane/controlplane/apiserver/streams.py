"""`kubectl exec`, `attach`, `cp` and `port-forward`: WebSockets that are passed on, message by message, to the node.

What is wrong with the request is the handshake's answer; what goes wrong later, such as a node that is not there, is
told on the error channel, as a real API server does.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlencode

import aiohttp

from inferplane.controlplane.apiserver.calls import Answer, Call
from inferplane.controlplane.apiserver.containers import container_of
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import StatusError, bad_request
from inferplane.controlplane.apiserver.logs import NodeGone
from inferplane.controlplane.apiserver.websockets import WebSocket
from inferplane.kernel.json import object_at, text_at
from inferplane.resources import channels

_PATHS = {"exec": "exec", "attach": "attach", "portforward": "portForward"}
SUBRESOURCES = tuple(_PATHS)
_OPTIONS = ("command", "stdin", "stdout", "stderr", "tty", "ports")
_LARGEST_MESSAGE = 1 << 24

Query = Sequence[tuple[str, str]]


class Peer(Protocol):
    """The node's end."""

    def messages(self) -> AsyncIterator[bytes]: ...

    async def send(self, message: bytes) -> None:
        """Returns when there is room for more. Raises OSError when the node has left."""
        ...


class NodeStreams:
    """WebSockets on the node's unix socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    @asynccontextmanager
    async def open(self, path: str, protocol: str) -> AsyncIterator["Peer"]:
        """`path` with its query. Raises NodeGone."""
        connector = aiohttp.UnixConnector(path=str(self._socket))
        async with aiohttp.ClientSession(connector=connector) as session:
            try:
                socket = await session.ws_connect(
                    f"http://node{path}", protocols=[protocol], max_msg_size=_LARGEST_MESSAGE
                )
            except (aiohttp.ClientError, OSError) as error:
                raise NodeGone(f"the node does not answer at {self._socket}: {error}", fix="is it running?") from error
            async with socket:
                yield _NodePeer(socket)


class _NodePeer:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def messages(self) -> AsyncIterator[bytes]:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                yield message.data

    async def send(self, message: bytes) -> None:
        await self._socket.send_bytes(message)


async def refuse(core: Core, call: Call) -> Answer:
    """A request without a WebSocket. Raises what a handshake would be refused with, else 501."""
    _place(core, call)
    text = (
        f"{call.subresource} needs a client that speaks WebSockets: kubectl 1.31 or newer "
        f"({', '.join(_known(call))}); SPDY alone is not spoken here"
    )
    raise StatusError(501, "NotImplemented", text, {})


async def converse(core: Core, call: Call, query: Query, client: WebSocket) -> None:
    """From the handshake to the end. Raises StatusError while the handshake can still be refused."""
    place = _place(core, call)
    known = _known(call)
    protocol = channels.chosen(client.offered, known)
    if not protocol:
        raise bad_request(f"unable to upgrade: expected a subprotocol of {', '.join(known)}, got {[*client.offered]}")
    if core.streams is None:
        raise bad_request(f"pod {call.name} does not have a host assigned")
    options = urlencode([(name, value) for name, value in query if name in _OPTIONS])
    await client.accept(protocol)
    with contextlib.suppress(OSError):  # the client has left
        try:
            async with core.streams.open(f"/{place}?{options}", protocol) as node:
                await _relay(client, node)
        except NodeGone as error:
            if call.subresource != "portforward":
                await client.send(channels.error_message(channels.failed(str(error))))
        await client.close()


def _place(core: Core, call: Call) -> str:
    """The node's path. Raises 404 for a pod that isn't there, 400 for a container that isn't, or no node."""
    pod = core.storage.require(call.kind, call.namespace, call.name).object
    parts = [_PATHS[call.subresource], call.namespace, call.name]
    if call.subresource != "portforward":
        parts.append(container_of(pod, call.query.get("container", "")))
    if not text_at(object_at(pod, "spec"), "nodeName"):
        raise bad_request(f"pod {call.name} does not have a host assigned")
    return "/".join(quote(part, safe="") for part in parts)


def _known(call: Call) -> Sequence[str]:
    return channels.FORWARDING if call.subresource == "portforward" else channels.COMMANDS


async def _relay(client: WebSocket, node: Peer) -> None:
    """Until one side has left."""
    tasks = [asyncio.create_task(_pass(client, node)), asyncio.create_task(_pass(node, client))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass(source: Peer | WebSocket, target: Peer | WebSocket) -> None:
    async for message in source.messages():
        await target.send(message)
