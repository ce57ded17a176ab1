"""Frames of SPDY/3.1 as kubectl's spdystream writes and reads them."""

import struct
import zlib

import pytest

from inferplane.controlplane.node.spdy import (
    DICTIONARY,
    Data,
    GoAway,
    Opened,
    Ping,
    ProtocolError,
    Reset,
    Session,
)


def control(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("!HHI", 0x8003, kind, flags << 24 | len(body)) + body


class Client:
    """Opens streams; one header stream for all of them."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def open(self, stream: int, headers: dict[str, str], flags: int = 0) -> bytes:
        words = [word.encode() for pair in headers.items() for word in pair]
        block = struct.pack("!I", len(headers)) + b"".join(struct.pack("!I", len(word)) + word for word in words)
        packed = self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return control(1, struct.pack("!IIBB", stream, 0, 0, 0) + packed, flags)


def test_the_dictionary_is_the_specification_s() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_streams_are_opened_with_their_headers() -> None:
    client, session = Client(), Session()
    first, second = {"streamtype": "error", "port": "80"}, {"streamtype": "data", "port": "80"}
    sent = client.open(1, first, flags=1) + client.open(3, second)
    assert list(session.receive(sent)) == [Opened(1, first, fin=True), Opened(3, second)]


def test_frames_may_come_in_any_pieces() -> None:
    sent = Client().open(1, {"a": "b"}) + struct.pack("!II", 1, 3) + b"abc" + struct.pack("!II", 1, 1 << 24)
    session = Session()
    found = [frame for byte in sent for frame in session.receive(bytes((byte,)))]
    assert found == [Opened(1, {"a": "b"}), Data(1, b"abc"), Data(1, b"", fin=True)]


def test_resets_pings_and_farewells_are_told_and_the_rest_is_passed_over() -> None:
    settings, window = control(4, struct.pack("!I", 0)), control(9, struct.pack("!II", 1, 100))
    sent = settings + control(3, struct.pack("!II", 5, 5)) + window + control(6, struct.pack("!I", 7))
    sent += control(7, struct.pack("!II", 0, 0))
    assert list(Session().receive(sent)) == [Reset(5), Ping(7), GoAway()]


def test_a_reply_has_no_headers() -> None:
    session, inflate = Session(), zlib.decompressobj(zdict=DICTIONARY)
    for stream in (1, 3):
        sent = session.reply(stream)
        head, size, number = struct.unpack_from("!III", sent)
        assert (head, size, number) == (0x80030002, len(sent) - 8, stream)
        assert inflate.decompress(sent[12:]) == bytes(4)


def test_data_and_pongs_are_written_as_they_are_read() -> None:
    session = Session()
    sent = session.data(3, b"abc") + session.data(3, b"", fin=True) + session.pong(Ping(9))
    assert list(Session().receive(sent)) == [Data(3, b"abc"), Data(3, b"", fin=True), Ping(9)]


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack("!HHI", 0x8002, 1, 0),
        control(1, struct.pack("!IIBB", 1, 0, 0, 0) + b"not zlib"),
        control(6, b""),
    ],
    ids=["another version", "headers that are not packed", "a frame that is too short"],
)
def test_what_is_not_spdy_is_refused(sent: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Session().receive(sent))
