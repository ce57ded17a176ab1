"""The paced client against a server of the test, and what the table says of made-up rounds."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from bench.fairness import Asked, Round, Row
from bench.paced import Client, Refused, latencies

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """The port of a server that gives every request this answer at once."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536):
                connection.sendall(answer)

    def accept() -> None:
        while True:
            try:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_every_request_of_the_schedule_is_timed() -> None:
    with answering(OK) as port:
        found = latencies(port, "/", "", 200, 0.5)
    assert 95 <= len(found) <= 100
    assert min(found) >= 0


def test_the_clients_own_delay_is_not_in_the_time() -> None:
    with answering(OK) as port:
        client = Client(port, b"GET / HTTP/1.1\r\n\r\n")
        took: list[float] = []
        while len(took) < 3:
            client.send()
            time.sleep(0.3)  # as if it had no processor
            took.extend([one] if (one := client.received()) is not None else [])
        client.close()
    assert min(took) < 200


def test_an_answer_that_is_not_200_is_not_timed() -> None:
    with answering(OK.replace(b"200", b"503")) as port, pytest.raises(Refused, match="503"):
        latencies(port, "/", "", 200, 0.1)


def test_a_ratio_is_of_the_two_halves_of_one_round() -> None:
    quiet = Round(Asked([1.0], [0.5]), Asked([1.5], [3.0]))
    busy = Round(Asked([10.0], [5.0]), Asked([12.0], [30.0]))
    row = Row("waits", [quiet, quiet, busy])
    assert row.ratio == 1.5
    assert row.cells() == ["waits", "1.00", "1.50", "1.00", "1.50", "1.50", "3.00", "30.0"]
