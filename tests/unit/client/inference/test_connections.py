"""What the clients do when connections fail: who is asked again, and how often. The server is a script of answers."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from inferplane.client.inference.aio import AsyncClient
from inferplane.client.inference.errors import BadAnswer, ClientError, ConnectionLost, Unreachable
from inferplane.client.inference.sync import Client
from inferplane.kernel.json import Json

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"predictions":[1]}'
HANG_UP = b""


@dataclass
class Script:
    """Answers one request a connection: the n-th with the n-th answer; an empty one closes the connection."""

    port: int
    heads: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def scripted(answers: Sequence[bytes], tls: ssl.SSLContext | None = None) -> Iterator[Script]:
    listener = socket.create_server(("127.0.0.1", 0))
    script = Script(listener.getsockname()[1])

    def serve() -> None:
        for answer in answers:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # the test is over, and wanted fewer
            with contextlib.suppress(OSError), tls.wrap_socket(connection, True) if tls else connection as stream:
                script.heads.append(whole_request(stream))
                stream.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        listener.close()


def whole_request(stream: socket.socket) -> bytes:
    """All of it: a socket that is closed with unread bytes in it resets the connection, and the answer is lost."""
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b'{"instances":[[1]]}'):
        piece = stream.recv(65536)
        if not piece:
            break
        data += piece
    return data


def sync(url: str, **settings: object) -> Json:
    with Client(url, timeout=5, **settings) as client:  # type: ignore[arg-type]  # settings of each test
        return client.predict("m", [[1]])


def aio(url: str, **settings: object) -> Json:
    async def ask() -> Json:
        async with AsyncClient(url, timeout=5, **settings) as client:  # type: ignore[arg-type]  # settings of each test
            return await client.predict("m", [[1]])

    return asyncio.run(ask())


Ask = Callable[..., Json]
both = pytest.mark.parametrize("ask", [sync, aio])


@both
def test_a_request_that_may_have_run_is_not_sent_again(ask: Ask) -> None:
    with scripted([HANG_UP, OK]) as server, pytest.raises(ConnectionLost, match="the request may have run"):
        ask(f"http://127.0.0.1:{server.port}")
    assert len(server.heads) == 1


@both
def test_it_is_when_the_user_says_that_it_does_no_harm(ask: Ask) -> None:
    with scripted([HANG_UP, HANG_UP, OK]) as server:
        assert ask(f"http://127.0.0.1:{server.port}", idempotent=True) == [1]
    assert len(server.heads) == 3


@both
def test_patience_with_lost_connections_has_an_end(ask: Ask) -> None:
    with scripted([HANG_UP, HANG_UP, OK]) as server, pytest.raises(ConnectionLost):
        ask(f"http://127.0.0.1:{server.port}", idempotent=True, retries=1)
    assert len(server.heads) == 2


@both
def test_a_server_that_is_not_there_is_asked_again_and_then_named(ask: Ask, unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    with pytest.raises(Unreachable) as caught:
        ask(url, retries=1)
    assert str(caught.value).startswith(f"{url}/v1/models/m:predict: cannot connect (")


@both
def test_path_host_and_headers_go_with_every_request(ask: Ask) -> None:
    with scripted([OK]) as server:
        ask(f"http://127.0.0.1:{server.port}/serving/default/m/", host="m.default.example", headers={"X-Token": "t"})
    head = server.heads[0].lower()
    assert head.startswith(b"post /serving/default/m/v1/models/m:predict http/1.1\r\n")
    assert b"host: m.default.example\r\n" in head
    assert b"x-token: t\r\n" in head


@both
def test_an_answer_that_is_not_json_is_no_crash(ask: Ask) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"
    with scripted([page]) as server, pytest.raises(BadAnswer, match="the answer is not JSON"):
        ask(f"http://127.0.0.1:{server.port}")


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x", "http://", ""])
def test_a_url_that_is_none_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ClientError, match="expected a URL like http://localhost:8080"):
        Client(url)


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")  # of verify=False, as it should
@both
def test_tls_is_checked_against_the_ca_and_the_host(ask: Ask, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("models.example").configure_cert(context)
    trusted = {"ca": str(tmp_path / "ca.pem"), "retries": 0}
    with scripted([OK, OK, OK, OK], context) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert ask(url, host="models.example", **trusted) == [1]
        with pytest.raises(Unreachable):
            ask(url, host="other.example", **trusted)
        with pytest.raises(Unreachable):
            ask(url, host="models.example", retries=0)
        assert ask(url, host="models.example", verify=False) == [1]
