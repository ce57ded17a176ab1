"""A sink that takes events as fast as Python can, and keeps none: `event_sink.py PORT`."""

import asyncio
import sys
from typing import cast

import httptools
import uvloop

TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


class Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(TAKEN)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


uvloop.run(main(int(sys.argv[1])))
