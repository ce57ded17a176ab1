import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.dataplane.server.grpc.http2 import huffman
from inferplane.dataplane.server.grpc.http2.frames import ConnectionBroken, ErrorCode
from inferplane.dataplane.server.grpc.http2.hpack import STATIC, Decoder, integer, literal

# RFC 7541, C.4: three requests on one connection, with the Huffman code.
REQUESTS = [
    (
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")],
    ),
    (
        "828684be5886a8eb10649cbf",
        [
            (b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com"),
            (b"cache-control", b"no-cache"),
        ],
    ),
    (
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        [
            (b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/index.html"),
            (b":authority", b"www.example.com"), (b"custom-key", b"custom-value"),
        ],
    ),
]  # fmt: skip

NAMES = st.sampled_from([b":path", b"x-a", b"x-bb", b"grpc-timeout", b"content-type"]) | st.binary(
    min_size=1, max_size=9
)
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=60)), max_size=8)


def broken(block: bytes, limit: int = 1000) -> ErrorCode:
    with pytest.raises(ConnectionBroken) as caught:
        Decoder(limit).decode(block)
    return caught.value.code


def test_the_rfcs_requests_are_read() -> None:
    decoder = Decoder(1000)
    assert [decoder.decode(bytes.fromhex(block)) for block, _ in REQUESTS] == [fields for _, fields in REQUESTS]


def test_the_static_table_is_the_rfcs() -> None:
    assert len(STATIC) == 61
    assert (STATIC[0], STATIC[15], STATIC[60]) == (
        (b":authority", b""),
        (b"accept-encoding", b"gzip, deflate"),
        (b"www-authenticate", b""),
    )


@given(st.lists(st.tuples(FIELDS, st.booleans()), max_size=6), st.sampled_from([0, 64, 200, 4096]))
def test_what_another_encoder_writes_is_read_as_it_was(
    blocks: list[tuple[list[tuple[bytes, bytes]], bool]], table: int
) -> None:
    encoder, decoder = hpack.Encoder(), Decoder(100_000)
    encoder.header_table_size = table
    for fields, coded in blocks:
        assert decoder.decode(encoder.encode(fields, huffman=coded)) == fields


@given(FIELDS)
def test_literals_are_read_by_another_decoder(fields: list[tuple[bytes, bytes]]) -> None:
    block = b"".join(literal(name, value) for name, value in fields)
    assert [tuple(field) for field in hpack.Decoder().decode(block, raw=True)] == fields
    assert Decoder(100_000).decode(block) == fields


@given(st.binary(max_size=40))
def test_any_bytes_are_read_as_by_another_decoder_or_refused(block: bytes) -> None:
    try:
        expected = [tuple(field) for field in hpack.Decoder().decode(block, raw=True)]
    except hpack.HPACKError:
        assert broken(block, 100_000) is ErrorCode.COMPRESSION_ERROR
    else:
        assert Decoder(100_000).decode(block) == expected


@given(st.binary(max_size=30))
def test_the_huffman_code_is_the_one_of_another_decoder(data: bytes) -> None:
    try:
        expected = hpack.huffman_table.decode_huffman(data)
    except hpack.HPACKDecodingError:
        with pytest.raises(huffman.NotHuffman):
            huffman.decoded(data)
    else:
        assert huffman.decoded(data) == expected


@pytest.mark.parametrize(
    "block",
    [
        "80",  # the field of number 0
        "be",  # one that the table does not have
        "ff",  # a number that breaks off
        "ffffffffffff7f",  # one that is too large
        "0005abc",  # a name that breaks off
        "3fe21f",  # a table of more than 4096 bytes
        "8220",  # a change of size after a field
        "00 8300000101",  # no Huffman code
    ],
)
def test_what_is_no_block_breaks_the_connection(block: str) -> None:
    assert (
        broken(bytes.fromhex(block.replace(" ", "").ljust(len(block) + len(block) % 2, "0")))
        is ErrorCode.COMPRESSION_ERROR
    )


def test_a_list_may_not_grow_by_naming_one_long_field_again_and_again() -> None:
    decoder = Decoder(1000)
    decoder.decode(b"\x40\x01a\x7f\x21" + bytes(160))
    with pytest.raises(ConnectionBroken) as caught:
        decoder.decode(b"\xbe" * 10)
    assert caught.value.code is ErrorCode.ENHANCE_YOUR_CALM


def test_the_table_forgets_its_oldest_fields_and_says_that_it_changed() -> None:
    decoder = Decoder(100_000)
    for number in range(200):
        decoder.decode(b"\x40\x01a\x40" + b"%064d" % number)
    assert decoder.decode(b"\xbe") == [(b"a", b"%064d" % 199)]
    assert decoder.changes == 200
    assert sum(len(name) + len(value) + 32 for name, value in decoder._entries) <= 4096


@pytest.mark.parametrize(
    ("data", "bits", "number", "end"), [("0a", 5, 10, 1), ("1f9a0a", 5, 1337, 3), ("2a", 8, 42, 1)]
)
def test_the_rfcs_integers_are_read(data: str, bits: int, number: int, end: int) -> None:
    assert integer(bytes.fromhex(data), 0, bits) == (number, end)
