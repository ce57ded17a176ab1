"""The application behind TLS on a TCP port, in the event loop of the caller.

server = Server(app, host="127.0.0.1", port=0, certificate=…, key=…)
await server.start()          # from here on `server.port` is known and requests are answered
await server.stop()           # ends watches, waits for requests under way
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from inferplane.controlplane.apiserver.app import App
from inferplane.kernel.errors import InferplaneError

GRACE_SECONDS = 2


class ServerError(InferplaneError):
    """The server cannot listen."""


class _Quiet(uvicorn.Server):
    """Signals are the process's own business (see `assembly`)."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Server:
    def __init__(
        self,
        app: App,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._tls = certificate is not None
        config = uvicorn.Config(
            app,
            lifespan="off",
            http="httptools",
            ws="wsproto",
            # Nobody pings a client that a slow command keeps from reading; clients ping us.
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            loop="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=300,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_certfile=str(certificate) if certificate else None,
            ssl_keyfile=str(key) if key else None,
        )
        self._server = _Quiet(config)
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        if self._socket is None:
            raise ServerError("the server has not been started")
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    async def start(self) -> None:
        """Raises ServerError when the port is taken."""
        self._socket = _listen(self._host, self._port)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise ServerError(f"the server on {self._host}:{self._port} stopped at once")
            await asyncio.sleep(0.002)  # uvicorn tells in no other way that it has started

    async def stop(self) -> None:
        """Ends the watches, then the server; the application's store is closed with it."""
        self._app.end_watches()
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        await self._app.close()
        if self._socket is not None:
            self._socket.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it an answer in two parts takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ServerError(f"cannot listen on {host}:{port}: {error.strerror}", fix="choose another port") from error
    listener.listen(512)
    listener.setblocking(False)
    return listener
