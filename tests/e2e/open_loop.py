"""Load at a rate of its own, whatever the server's answers do: each request has its time and its connection.

usage (an empty BODY makes it a GET): open_loop.py PORT PATH BODY RATE SECONDS CONNECTIONS

Prints one JSON object: status → latencies of its requests in ms.
"""

import asyncio
import json
import sys
from collections import defaultdict


class Client:
    """Keeps `connections` open and uses whichever is free; a request that finds none waits, its clock running."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port = port
        self._request = request
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.latencies: dict[str, list[float]] = defaultdict(list)

    async def connect(self, connections: int) -> None:
        for _ in range(connections):
            self._free.put_nowait(await asyncio.open_connection("127.0.0.1", self._port))

    async def ask(self) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        reader, writer = await self._free.get()
        try:
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            status = head.split()[1].decode()
            if status == "503" and b"retry-after: " not in head.lower():
                status = "503 without retry-after"
        except (OSError, asyncio.IncompleteReadError) as error:
            status = repr(error)
        self._free.put_nowait((reader, writer))
        self.latencies[status].append((loop.time() - start) * 1000)


async def load(
    port: int, path: str, body: str, rate: float, seconds: float, connections: int
) -> dict[str, list[float]]:
    method = "POST" if body else "GET"
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    client = Client(port, (head + body).encode())
    await client.connect(connections)
    loop = asyncio.get_running_loop()
    start = loop.time()
    asked = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - loop.time()))
        asked.append(asyncio.ensure_future(client.ask()))
    await asyncio.gather(*asked)
    return client.latencies


if __name__ == "__main__":
    port, path, body, rate, seconds, connections = sys.argv[1:]
    print(json.dumps(asyncio.run(load(int(port), path, body, float(rate), float(seconds), int(connections)))))
