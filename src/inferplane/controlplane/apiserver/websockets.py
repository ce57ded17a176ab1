"""The client's side of a WebSocket, as ASGI has it: refuse it with a Status, or accept it and exchange messages."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from inferplane.controlplane.apiserver.calls import Answer

Scope = MutableMapping[str, Any]  # ASGI's own types
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class WebSocket:
    """One handshake, then messages. `offered`: the client's subprotocols, the best first."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.offered: Sequence[str] = scope["subprotocols"]
        self._receive = receive
        self._send = send

    async def begun(self) -> bool:
        """Waits for the handshake; False when the client left before."""
        first: str = (await self._receive())["type"]
        return first == "websocket.connect"

    async def refuse(self, answer: Answer) -> None:
        """The handshake's answer is this one instead."""
        headers = [(b"content-type", answer.content_type.encode()), (b"content-length", str(len(answer.body)).encode())]
        await self._send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
        await self._send({"type": "websocket.http.response.body", "body": answer.body})

    async def accept(self, protocol: str) -> None:
        await self._send({"type": "websocket.accept", "subprotocol": protocol})

    async def messages(self) -> AsyncIterator[bytes]:
        """Until the client has left. Clients may send text where bytes are meant."""
        while (event := await self._receive())["type"] == "websocket.receive":
            data = event.get("bytes")
            yield data if data is not None else event["text"].encode()

    async def send(self, message: bytes) -> None:
        """Returns when there is room for more. Raises OSError when the client has left."""
        await self._send({"type": "websocket.send", "bytes": message})

    async def close(self) -> None:
        await self._send({"type": "websocket.close", "code": 1000})
