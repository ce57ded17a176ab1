import socket
from collections.abc import Iterator

import pytest

from inferplane.assembly import ports
from inferplane.kernel.errors import InferplaneError


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on for the length of the test."""
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def test_a_free_port_is_taken_as_wanted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert ports.choose(port) == ports.Choice(port)


def test_a_taken_port_is_passed_over_and_its_owner_named(taken: int) -> None:
    choice = ports.choose(taken)
    assert choice.port > taken
    assert choice.note.startswith(f"port {taken} is taken by pid ")
    assert choice.note.endswith(f"using {choice.port}")


def test_a_listener_with_reuse_port_still_counts_as_taken() -> None:
    with socket.socket() as shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(("127.0.0.1", 0))
        shared.listen(1)
        assert not ports.is_free(shared.getsockname()[1])


def test_a_port_chosen_for_something_else_is_avoided() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert ports.choose(port, avoid=[port]).port > port


def test_no_port_left_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(InferplaneError, match=r"no free port from 65536.*--port"):
        ports.choose(65536)


def test_a_listener_on_all_addresses_takes_the_port() -> None:
    with socket.create_server(("0.0.0.0", 0)) as everywhere:
        assert not ports.is_free(everywhere.getsockname()[1])


def test_a_pod_that_listens_on_its_own_address_does_not() -> None:
    # A port of the system's choice may be in use on 127.0.0.1 by whoever else runs here.
    port = ports.choose(20_000).port
    with socket.create_server(("127.9.9.9", port)):
        assert ports.is_free(port)


def test_port_0_is_any_free_one() -> None:
    choice = ports.choose(0)
    assert choice.port > 1023
    assert choice.note == ""
