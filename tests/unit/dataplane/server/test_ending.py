"""The end of a connection: half-closed where that is possible, and never an error for a client that has gone."""

import asyncio

import pytest

from inferplane.dataplane.server.ending import end_sending


class Transport(asyncio.Transport):
    def __init__(self, *, halves: bool, gone: bool = False) -> None:
        super().__init__()
        self.halves = halves
        self.gone = gone
        self.seen: list[str] = []

    def can_write_eof(self) -> bool:
        return self.halves

    def write_eof(self) -> None:
        if self.gone:
            raise OSError(107, "Transport endpoint is not connected")
        self.seen.append("end of what is sent")

    def close(self) -> None:
        self.seen.append("closed")

    def abort(self) -> None:
        self.seen.append("aborted")


@pytest.mark.parametrize(
    ("transport", "seen"),
    [
        (Transport(halves=True), "end of what is sent"),
        (Transport(halves=False), "closed"),
        (Transport(halves=True, gone=True), "aborted"),
    ],
    ids=["plain", "TLS", "gone"],
)
def test_a_connection_ends_as_its_transport_allows(transport: Transport, seen: str) -> None:
    end_sending(transport)
    assert transport.seen == [seen]
