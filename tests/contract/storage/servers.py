"""A web server for one test: answers by path, and what was asked of it."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    path: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def range(self) -> str:
        return self.headers.get("range", "")


@dataclass(frozen=True)
class Answer:
    """`cut` ends the connection after so many bytes of the body, -1 never."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = -1


@dataclass
class Web:
    url: str
    asked: list[Asked]


def file(asked: Asked, content: bytes, *, cut: int = -1, **headers: str) -> Answer:
    """A file as servers hand it out, from the middle if that is asked for. `_` in names of headers means `-`."""
    given = {"Content-Type": "application/octet-stream", **{key.replace("_", "-"): v for key, v in headers.items()}}
    if not asked.range:
        return Answer(content, 200, given, cut)
    first, _, last = asked.range.removeprefix("bytes=").partition("-")
    start, stop = int(first), min(int(last or len(content)), len(content) - 1) + 1
    given["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
    return Answer(content[start:stop], 206, given, cut)


@contextmanager
def web(answer: Callable[[Asked], Answer | None], tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    """`answer` may be called by several threads; None is 404. With `tls` the server speaks HTTPS."""
    seen: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
            asked = Asked(parts.path, query, {key.lower(): value for key, value in self.headers.items()})
            seen.append(asked)
            found = answer(asked) or Answer(b"nothing here", 404)
            # With a Date of its own, unless the test gives one.
            (self.send_response_only if "Date" in found.headers else self.send_response)(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            if "Transfer-Encoding" not in found.headers:
                self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body if found.cut < 0 else found.body[: found.cut])
            if found.cut >= 0:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Web(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}", seen)
        finally:
            server.shutdown()
            thread.join()
