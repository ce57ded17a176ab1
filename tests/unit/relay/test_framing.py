"""Where messages end (RFC 9112), whatever the pieces in which they arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.relay.framing import (
    Body,
    Chunked,
    Length,
    Malformed,
    Payload,
    UntilClose,
    read_request,
    read_response,
)


def fed(body: Body, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """What belongs to the body, and what comes behind it."""
    inside, behind = b"", b""
    for piece in pieces:
        end = 0 if body.done else body.feed(piece)
        inside, behind = inside + piece[:end], behind + piece[end:]
    return inside, behind


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({one % (len(data) + 1) for one in places})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


CHUNKED = b"4;name=x\r\nwiki\r\n10\r\n0123456789abcdef\r\n0\r\nServer-Timing: a\r\nX: y\r\n\r\n"


@given(st.lists(st.integers(0, 100), max_size=20))
def test_a_chunked_body_ends_behind_its_trailers(places: list[int]) -> None:
    body = Chunked()
    assert fed(body, cut(CHUNKED + b"GET /", places)) == (CHUNKED, b"GET /")
    assert body.done


def test_a_chunked_body_without_trailers_ends_at_the_empty_line() -> None:
    assert fed(Chunked(), [b"0\r\n\r\nnext"]) == (b"0\r\n\r\n", b"next")


@given(st.lists(st.integers(0, 100), max_size=20))
def test_a_length_takes_so_many_bytes(places: list[int]) -> None:
    assert fed(Length(5), cut(b"helloworld", places)) == (b"hello", b"world")


@pytest.mark.parametrize("size", [b"", b"x", b"-1", b"0x10", b"1" * 17])
def test_what_is_no_chunk_size_is_refused(size: bytes) -> None:
    with pytest.raises(Malformed, match="size of a chunk"):
        Chunked().feed(size + b"\r\n")


def test_an_endless_chunk_line_is_refused() -> None:
    with pytest.raises(Malformed, match="at most"):
        Chunked().feed(b"1" * 20_000)


def test_a_request_without_a_length_has_no_body() -> None:
    assert read_request(b"POST / HTTP/1.1\r\nHost: a").body().done


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/2.0",
        b"GET /",
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.1\r\nno colon",
        b"GET / HTTP/1.1\r\nHost : a",
        b"GET / HTTP/1.1\r\nA: b\r\n folded",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
    ],
)
def test_a_head_that_two_readers_could_read_differently_is_refused(head: bytes) -> None:
    with pytest.raises(Malformed):
        read_request(head)


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: -1",
        b"Content-Length: 1x",
        b"Content-Length:",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3",
    ],
)
def test_a_body_that_two_readers_could_measure_differently_is_refused(headers: bytes) -> None:
    with pytest.raises(Malformed):
        read_request(b"POST / HTTP/1.1\r\n" + headers).body()


@pytest.mark.parametrize(
    ("head", "method", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3", b"GET", Length),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked", b"GET", Chunked),
        (b"HTTP/1.1 200 OK", b"GET", UntilClose),
        (b"HTTP/1.1 200", b"GET", UntilClose),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3", b"HEAD", Length),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3", b"GET", Length),
        (b"HTTP/1.1 204 No Content", b"GET", Length),
    ],
)
def test_the_kind_of_an_answers_body(head: bytes, method: bytes, kind: type[Body]) -> None:
    body = read_response(head).body(method)
    assert isinstance(body, kind)
    assert body.done == (b" 304" in head or b" 204" in head or method == b"HEAD")


def test_interim_answers_are_followed_by_another_and_a_switch_of_protocols_is_not() -> None:
    assert read_response(b"HTTP/1.1 100 Continue").is_interim
    assert not read_response(b"HTTP/1.1 101 Switching Protocols").is_interim


@pytest.mark.parametrize(
    ("first", "headers", "kept"),
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"GET / HTTP/1.1", b"Connection: Close", False),
        (b"GET / HTTP/1.0", b"", False),
        (b"GET / HTTP/1.0", b"Connection: keep-alive", True),
    ],
)
def test_which_connections_are_kept(first: bytes, headers: bytes, kept: bool) -> None:
    assert read_request(b"\r\n".join([first, headers]) if headers else first).keeps_alive is kept


def test_a_head_less_some_headers_is_otherwise_as_it_came() -> None:
    head = read_request(b"GET /a?b HTTP/1.1\r\nHost: A\r\nKnative-Serving-Revision: r\r\nX:  y ")
    assert head.without(frozenset((b"knative-serving-revision",))) == b"GET /a?b HTTP/1.1\r\nHost: A\r\nX:  y \r\n\r\n"


@given(st.binary(max_size=200))
def test_nothing_breaks_the_readers(data: bytes) -> None:
    for read in (read_request, read_response):
        try:
            read(data)
        except Malformed:
            continue


# --- the payload without its framing ----------------------------------------------------------------------------------

CHUNKED = b"4;name=value\r\nWiki\r\n5\r\npedia\r\n0\r\nTrailer: 1\r\n\r\n"


@given(st.lists(st.integers(0, len(CHUNKED)), max_size=6))
def test_the_payload_of_chunks_is_what_they_hold_whatever_the_pieces(places: list[int]) -> None:
    payload = Payload(Chunked())
    assert b"".join(payload.feed(piece) for piece in cut(CHUNKED, places)) == b"Wikipedia"


def test_a_chunk_that_looks_like_a_size_is_still_a_chunk() -> None:
    assert Payload(Chunked()).feed(b"4\r\n12\r\n\r\n1\r\na\r\n0\r\n\r\n") == b"12\r\na"


def test_other_bodies_are_their_payload() -> None:
    assert Payload(Length(5)).feed(b"5\r\nab") == b"5\r\nab"
