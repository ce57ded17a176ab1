"""A sink for events on a port of this process, in a thread: told to be down, slow or unwilling while it runs."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LIMIT = 60.0


@dataclass
class Arrived:
    """An event in binary mode."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        return self.headers["ce-type"].rpartition(".")[2]

    @property
    def id(self) -> str:
        return self.headers["ce-id"]


@dataclass
class Sink:
    port: int
    status: int = 200
    delay: float = 0.0
    events: list[Arrived] = field(default_factory=list)
    tries: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def wait(self, number: int) -> list[Arrived]:
        """Until so many events are here."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.events) >= number, LIMIT), f"{len(self.events)} events"
        return self.events

    def wait_for_tries(self, number: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.tries >= number, LIMIT), f"{self.tries} tries"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sink: Sink

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        sink = self.sink
        time.sleep(sink.delay)
        status = sink.status
        # Noted before the answer: whoever has the answer counts on it.
        with sink.changed:
            sink.tries += 1
            if status == 200:
                sink.events.append(Arrived({name.lower(): value for name, value in self.headers.items()}, body))
            sink.changed.notify_all()
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def sink(port: int = 0) -> Iterator[Sink]:
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    made = Sink(server.server_port)
    server.RequestHandlerClass = type("Handler", (_Handler,), {"sink": made})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
