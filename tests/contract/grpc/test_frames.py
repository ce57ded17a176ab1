"""HTTP/2, frame by frame: what RFC 9113 asks of a server, and what a client that means harm does not get."""

import asyncio
import gc
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.grpc.frames_peer import CALL, INFER, Fields, Peer, peering
from tests.contract.grpc.serving import message
from tests.contract.grpc.test_port import Gated

from inferplane import InferInput
from inferplane.dataplane.server.grpc.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    ErrorCode,
    frame,
)  # fmt: skip
from inferplane.dataplane.server.grpc.http2.streams import Limits
from inferplane.dataplane.server.grpc.unary import UnaryExchange
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferResponse

EMPTY = b"\0\0\0\0\0"
TO_INFER: Fields = {":path": INFER}
LIVE_ANSWER = b"\0\0\0\0\2\x08\1"


def framed(body: bytes) -> bytes:
    return struct.pack(">BI", 0, len(body)) + body


def numbers(values: int) -> np.ndarray:
    return np.arange(values, dtype=np.uint8)


def request(values: int = 4) -> bytes:
    tensor = InferInput.decoded("x", "UINT8", numbers(values))
    return framed(message("echo", [tensor], "i", raw=True).SerializeToString())


def call(peer: Peer, stream: int, body: bytes = EMPTY, changed: Fields | None = None) -> bytes:
    return peer.headers(stream, changed) + frame(DATA, END_STREAM, stream, body)


def answer_of(peer: Peer, stream: int) -> ModelInferResponse:
    return ModelInferResponse.FromString(peer.data(stream)[5:])


# --- calls ------------------------------------------------------------------------------------------------------------


async def test_a_call_is_headers_data_and_trailers() -> None:
    async with peering() as peer:
        peer.greet()
        peer.send(call(peer, 1))
        await peer.ended(1)
        assert peer.data(1) == LIVE_ANSWER
        assert peer.fields(1) == [{":status": "200", "content-type": "application/grpc"}, {"grpc-status": "0"}]
        assert peer.told[0].kind == SETTINGS


@pytest.mark.parametrize("size", [1, 7, 9, 100])
async def test_however_the_bytes_are_cut_the_calls_are_answered(size: int) -> None:
    async with peering() as peer:
        whole = PREFACE + frame(SETTINGS, 0, 0)
        for stream in (1, 3, 5):
            whole += call(peer, stream, request(300), TO_INFER)
        for start in range(0, len(whole), size):
            peer.send(whole[start : start + size])
        for stream in (1, 3, 5):
            await peer.ended(stream)
            assert len(answer_of(peer, stream).raw_output_contents[0]) == 300


async def test_a_message_may_come_in_many_frames_with_padding_and_its_end_alone() -> None:
    async with peering() as peer:
        peer.greet()
        body = request(1000)
        peer.send(peer.headers(1, TO_INFER))
        for start in range(0, len(body), 100):
            peer.send(frame(DATA, PADDED, 1, b"\7" + body[start : start + 100] + bytes(7)))
        peer.send(frame(DATA, END_STREAM, 1))
        await peer.ended(1)
        assert len(answer_of(peer, 1).raw_output_contents[0]) == 1000


@pytest.mark.parametrize("cut", [100, 109, 1000, 5000])
async def test_a_message_in_many_frames_alike_is_whole_wherever_reads_end(cut: int) -> None:
    async with peering() as peer:
        peer.greet()
        body = request(3333)
        sent = b"".join(frame(DATA, 0, 1, body[start : start + 100]) for start in range(0, len(body), 100))
        peer.send(peer.headers(1, TO_INFER))
        for start in range(0, len(sent), cut):
            peer.send(sent[start : start + cut])
        peer.send(call(peer, 3) + frame(DATA, END_STREAM, 1))
        await peer.ended(1)
        assert answer_of(peer, 1).raw_output_contents[0] == numbers(3333).tobytes()
        await peer.ended(3)
        assert peer.data(3) == LIVE_ANSWER


async def test_what_a_call_held_is_free_when_it_is_answered() -> None:
    """Not once garbage is looked for: with large messages that would be hundreds of megabytes later."""
    async with peering() as peer:
        peer.greet()
        gc.collect()
        gc.disable()
        try:
            for stream in range(1, 9, 2):
                peer.send(call(peer, stream, request(3333), TO_INFER))
                await peer.ended(stream)
            assert sum(isinstance(one, UnaryExchange) for one in gc.get_objects()) <= 1
        finally:
            gc.enable()


async def test_headers_may_come_in_parts_with_padding_and_a_priority() -> None:
    async with peering() as peer:
        peer.greet()
        block = peer.headers(1)[9:]
        first = b"\3" + struct.pack(">IB", 0, 10) + block[:10] + bytes(3)
        peer.send(frame(HEADERS, PADDED | WITH_PRIORITY, 1, first))
        peer.send(frame(CONTINUATION, 0, 1, block[10:20]) + frame(CONTINUATION, END_HEADERS, 1, block[20:]))
        peer.send(frame(DATA, 0, 1, EMPTY))
        peer.send(peer.headers(1, dict.fromkeys(CALL), END_HEADERS | END_STREAM))
        await peer.ended(1)
        assert peer.data(1) == LIVE_ANSWER


async def test_the_same_headers_mean_the_same_though_the_table_changes_in_between() -> None:
    async with peering() as peer:
        peer.greet()
        for stream in range(1, 41, 4):
            peer.send(call(peer, stream, changed={"x-number": "7"}))
            peer.send(call(peer, stream + 2, request(), {":path": INFER, "x-number": f"{stream}"}))
            await peer.ended(stream)
            await peer.ended(stream + 2)
            assert peer.data(stream) == LIVE_ANSWER
            assert answer_of(peer, stream + 2).id == "i"


async def test_unknown_frames_and_settings_are_passed_over() -> None:
    async with peering() as peer:
        peer.greet((0x99, 1))
        peer.send(frame(0x77, 0xFF, 1, b"x") + frame(PRIORITY, 0, 5, struct.pack(">IB", 3, 1)))
        peer.send(call(peer, 1))
        await peer.ended(1)
        assert peer.data(1) == LIVE_ANSWER


async def test_settings_and_pings_are_acknowledged() -> None:
    async with peering() as peer:
        peer.greet()
        peer.send(frame(PING, 0, 0, b"12345678"))
        assert [one.flags for one in peer.of(SETTINGS)] == [0, 1]
        assert [(one.flags, one.payload) for one in peer.of(PING)] == [(1, b"12345678")]


@pytest.mark.parametrize(
    ("changed", "status"), [({":method": "GET"}, "405"), ({"content-type": "application/json"}, "415")]
)
async def test_what_is_no_call_gets_an_http_status(changed: Fields, status: str) -> None:
    async with peering() as peer:
        peer.greet()
        peer.send(peer.headers(1, changed, END_HEADERS | END_STREAM))
        assert peer.fields(1) == [{":status": status}]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 13),
        (b"\0\0\0", 13),
        (b"\0\0\0\0\5abc", 13),
        (b"\2\0\0\0\1a", 13),
        (EMPTY + EMPTY, 3),
        (b"\1\0\0\0\1a", 13),
        (b"\0\xff\xff\xff\xff", 8),
        (framed(b"\xff"), 3),
    ],
)
async def test_what_is_no_message_is_refused_with_a_status(body: bytes, code: int) -> None:
    async with peering() as peer:
        peer.greet()
        peer.send(call(peer, 1, body))
        await peer.ended(1)
        assert peer.fields(1)[-1]["grpc-status"] == str(code)


async def test_a_client_that_is_refused_before_it_has_sent_all_is_told_to_stop() -> None:
    async with peering() as peer:
        peer.greet()
        peer.send(peer.headers(1, {":path": "/no.Such/Call"}))
        assert peer.fields(1)[0]["grpc-status"] == "12"
        assert [one.code for one in peer.of(RST_STREAM, 1)] == [ErrorCode.NO_ERROR]
        peer.send(frame(DATA, END_STREAM, 1, EMPTY))  # it was on its way
        peer.send(call(peer, 3))
        await peer.ended(3)
        assert peer.data(3) == LIVE_ANSWER


async def test_an_unknown_coding_is_refused_with_those_that_are_known() -> None:
    async with peering() as peer:
        peer.greet()
        peer.send(call(peer, 1, changed={"grpc-encoding": "snappy"}))
        (told,) = peer.fields(1)
        assert (told["grpc-status"], told["grpc-accept-encoding"]) == ("12", "gzip, deflate, identity")


# --- what breaks a connection -----------------------------------------------------------------------------------------

Sent = Callable[[Peer], bytes]

BREAKING: list[tuple[str, Sent, ErrorCode]] = [
    ("data of no stream", lambda peer: frame(DATA, 0, 0, b"x"), ErrorCode.PROTOCOL_ERROR),
    ("data of an idle stream", lambda peer: frame(DATA, 0, 1, b"x"), ErrorCode.PROTOCOL_ERROR),
    ("a stream of even number", lambda peer: peer.headers(2), ErrorCode.PROTOCOL_ERROR),
    ("headers of no stream", lambda peer: peer.headers(0), ErrorCode.STREAM_CLOSED),
    ("a stream that is over", lambda peer: call(peer, 5) + peer.headers(3), ErrorCode.STREAM_CLOSED),
    ("a promise", lambda peer: frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    ("settings of a stream", lambda peer: frame(SETTINGS, 0, 1), ErrorCode.PROTOCOL_ERROR),
    ("half a setting", lambda peer: frame(SETTINGS, 0, 0, b"123"), ErrorCode.FRAME_SIZE_ERROR),
    ("a full acknowledgement", lambda peer: frame(SETTINGS, 1, 0, bytes(6)), ErrorCode.FRAME_SIZE_ERROR),
    ("push 2", lambda peer: setting(2, 2), ErrorCode.PROTOCOL_ERROR),
    ("a huge first window", lambda peer: setting(4, 2**31), ErrorCode.FLOW_CONTROL_ERROR),
    ("small frames", lambda peer: setting(5, 100), ErrorCode.PROTOCOL_ERROR),
    ("huge frames", lambda peer: setting(5, 2**24), ErrorCode.PROTOCOL_ERROR),
    ("a short ping", lambda peer: frame(PING, 0, 0, b"1"), ErrorCode.FRAME_SIZE_ERROR),
    ("a ping of a stream", lambda peer: frame(PING, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    ("a window update of nothing", lambda peer: frame(WINDOW_UPDATE, 0, 0, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    ("a short window update", lambda peer: frame(WINDOW_UPDATE, 0, 0, b"1"), ErrorCode.FRAME_SIZE_ERROR),
    ("a window too wide", lambda peer: frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), ErrorCode.FLOW_CONTROL_ERROR),
    ("a window of an idle stream", lambda peer: frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"), ErrorCode.PROTOCOL_ERROR),
    ("a reset of an idle stream", lambda peer: frame(RST_STREAM, 0, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    ("a reset of no stream", lambda peer: frame(RST_STREAM, 0, 0, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    ("a short reset", lambda peer: peer.headers(1) + frame(RST_STREAM, 0, 1, b"1"), ErrorCode.FRAME_SIZE_ERROR),
    ("a priority of no stream", lambda peer: frame(PRIORITY, 0, 0, bytes(5)), ErrorCode.PROTOCOL_ERROR),
    ("a short priority", lambda peer: frame(PRIORITY, 0, 1, bytes(4)), ErrorCode.FRAME_SIZE_ERROR),
    ("a continuation of nothing", lambda peer: frame(CONTINUATION, END_HEADERS, 1), ErrorCode.PROTOCOL_ERROR),
    (
        "a frame amid headers",
        lambda peer: frame(HEADERS, 0, 1, b"\x82") + frame(PING, 0, 0, bytes(8)),
        ErrorCode.PROTOCOL_ERROR,
    ),
    (
        "another's continuation",
        lambda peer: frame(HEADERS, 0, 1, b"\x82") + frame(CONTINUATION, END_HEADERS, 3),
        ErrorCode.PROTOCOL_ERROR,
    ),
    ("padding alone", lambda peer: peer.headers(1) + frame(DATA, PADDED, 1, b"\5abc"), ErrorCode.PROTOCOL_ERROR),
    ("no headers", lambda peer: frame(HEADERS, END_HEADERS, 1, b"\x80"), ErrorCode.COMPRESSION_ERROR),
    ("a frame too large", lambda peer: b"\xff\xff\xff\0\0\0\0\0\1", ErrorCode.FRAME_SIZE_ERROR),
    ("a goaway of a stream", lambda peer: frame(GOAWAY, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    ("endless headers", lambda peer: endless_headers(), ErrorCode.ENHANCE_YOUR_CALM),
    ("long headers", lambda peer: peer.headers(1, {"x": "y" * 70_000}), ErrorCode.ENHANCE_YOUR_CALM),
    ("pings", lambda peer: frame(PING, 0, 0, bytes(8)) * 1100, ErrorCode.ENHANCE_YOUR_CALM),
    ("settings", lambda peer: frame(SETTINGS, 0, 0) * 1100, ErrorCode.ENHANCE_YOUR_CALM),
    ("empty data", lambda peer: peer.headers(1) + frame(DATA, 0, 1) * 1100, ErrorCode.ENHANCE_YOUR_CALM),
]


def setting(name: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, struct.pack(">HI", name, value))


def endless_headers() -> bytes:
    return frame(HEADERS, 0, 1, b"\x82") + frame(CONTINUATION, 0, 1) * 100


@pytest.mark.parametrize(("sent", "code"), [one[1:] for one in BREAKING], ids=[one[0] for one in BREAKING])
async def test_a_connection_that_is_broken_ends_with_the_reason(sent: Sent, code: ErrorCode) -> None:
    async with peering() as peer:
        peer.greet()
        peer.send(sent(peer))
        assert [one.code for one in peer.of(GOAWAY)] == [code]
        assert peer.transport.ended


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", PREFACE + frame(PING, 0, 0, bytes(8)), b"PRJ"])
async def test_who_does_not_begin_as_http2_begins_is_not_served(sent: bytes) -> None:
    async with peering() as peer:
        peer.send(sent)
        assert [one.code for one in peer.of(GOAWAY)] == [ErrorCode.PROTOCOL_ERROR]


MALFORMED: list[Fields] = [
    {":path": None}, {":method": None}, {":scheme": None}, {":path": ""}, {":status": "200"}, {"X-Upper": "1"},
    {"connection": "close"}, {"transfer-encoding": "chunked"}, {"te": "gzip"}, {"x": "a\r\nb"},
    {"content-length": "x"}, {"content-length": "-1"},
]  # fmt: skip


@pytest.mark.parametrize("changed", MALFORMED)
async def test_a_malformed_request_is_reset_and_the_others_go_on(changed: Fields) -> None:
    async with peering() as peer:
        peer.greet()
        peer.send(call(peer, 1, changed=changed) + call(peer, 3))
        await peer.ended(3)
        assert [one.code for one in peer.of(RST_STREAM, 1)] == [ErrorCode.PROTOCOL_ERROR]
        assert peer.data(3) == LIVE_ANSWER


STREAM_ERRORS: list[tuple[str, Sent, ErrorCode]] = [
    ("a length that lies", lambda peer: call(peer, 1, changed={"content-length": "9"}), ErrorCode.PROTOCOL_ERROR),
    ("an update of nothing", lambda peer: peer.headers(1) + widened(1, 0), ErrorCode.PROTOCOL_ERROR),
    ("a window too wide", lambda peer: peer.headers(1) + widened(1, 2**31 - 1), ErrorCode.FLOW_CONTROL_ERROR),
    ("trailers before the end", lambda peer: peer.headers(1) + trailers(0), ErrorCode.PROTOCOL_ERROR),
    ("data after the end", lambda peer: gated(peer) + frame(DATA, END_STREAM, 1, b"x"), ErrorCode.STREAM_CLOSED),
    ("trailers after the end", lambda peer: gated(peer) + trailers(END_STREAM), ErrorCode.STREAM_CLOSED),
    (
        "a stream that depends on itself",
        lambda peer: peer.headers(1) + frame(PRIORITY, 0, 1, struct.pack(">IB", 1, 1)),
        ErrorCode.PROTOCOL_ERROR,
    ),
]


def gated(peer: Peer, stream: int = 1) -> bytes:
    tensor = InferInput.decoded("x", "UINT8", np.zeros(1, np.uint8))
    return call(peer, stream, framed(message("gated", [tensor], "i").SerializeToString()), TO_INFER)


def trailers(end: int) -> bytes:
    return frame(HEADERS, END_HEADERS | end, 1, b"\0\1a\1b")


def widened(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


@pytest.mark.parametrize(("sent", "code"), [one[1:] for one in STREAM_ERRORS], ids=[one[0] for one in STREAM_ERRORS])
async def test_a_stream_that_is_broken_is_reset_and_the_others_go_on(sent: Sent, code: ErrorCode) -> None:
    model = Gated()
    async with peering(model) as peer:
        peer.greet()
        peer.send(sent(peer))
        assert [one.code for one in peer.of(RST_STREAM, 1)] == [code]
        peer.send(call(peer, 3))
        await peer.ended(3)
        assert peer.data(3) == LIVE_ANSWER
        model.release.set()


# --- flow control -----------------------------------------------------------------------------------------------------


async def test_an_answer_keeps_to_the_streams_window_and_comes_as_it_widens() -> None:
    async with peering() as peer:
        peer.greet((4, 10))
        peer.send(call(peer, 1, request(1000), TO_INFER))
        await peer.until(lambda: peer.data(1))
        for number in range(1, 200):
            assert len(peer.data(1)) <= 10 * number
            peer.send(widened(1, 10))
        assert peer.of(HEADERS, 1)[-1].flags & END_STREAM
        assert len(answer_of(peer, 1).raw_output_contents[0]) == 1000


async def test_answers_keep_to_the_connections_window_and_frames_to_their_limit() -> None:
    async with peering() as peer:
        peer.greet((4, 1_000_000))
        for stream in (1, 3):
            peer.send(call(peer, stream, request(50_000), TO_INFER))
        await peer.until(lambda: len(peer.data(1)) + len(peer.data(3)) == 65_535)
        peer.send(widened(0, 100_000))
        for stream in (1, 3):
            await peer.ended(stream)
            assert len(answer_of(peer, stream).raw_output_contents[0]) == 50_000
        assert max(len(one.payload) for one in peer.of(DATA)) <= 16_384


async def test_a_first_window_that_changes_counts_for_streams_that_wait() -> None:
    async with peering() as peer:
        peer.greet((4, 0))
        peer.send(call(peer, 1, request(), TO_INFER))
        await peer.until(lambda: peer.of(HEADERS, 1))
        assert peer.data(1) == b""
        peer.send(setting(4, 1000))
        await peer.ended(1)
        assert answer_of(peer, 1).id == "i"


async def test_who_is_behind_a_stalled_stream_on_the_connection_is_answered() -> None:
    async with peering() as peer:
        peer.greet((4, 0))
        peer.send(call(peer, 1, request(), TO_INFER))
        await peer.until(lambda: peer.of(HEADERS, 1))
        peer.send(call(peer, 3) + widened(3, 100))
        await peer.ended(3)
        assert peer.data(3) == LIVE_ANSWER
        peer.send(frame(RST_STREAM, 0, 1, bytes(4)) + call(peer, 5) + widened(5, 100))
        await peer.ended(5)
        assert peer.data(5) == LIVE_ANSWER


async def test_a_large_message_is_given_room_as_it_comes() -> None:
    async with peering(limits=Limits(window=10_000)) as peer:
        peer.greet()
        body, sent = request(200_000), 0
        peer.send(peer.headers(1, TO_INFER))
        while sent < len(body):
            room = 10_000 + sum(int.from_bytes(one.payload, "big") for one in peer.of(WINDOW_UPDATE, 1)) - sent
            assert room > 0
            part = body[sent : sent + min(room, 10_000)]
            sent += len(part)
            peer.send(frame(DATA, END_STREAM if sent == len(body) else 0, 1, part))
        await peer.until(lambda: len(peer.data(1)) == 65_535 or peer.of(RST_STREAM))
        assert not peer.of(RST_STREAM)


async def test_more_data_than_a_stream_may_send_resets_it_and_more_than_the_connection_may_ends_it() -> None:
    async with peering(limits=Limits(window=100)) as peer:
        peer.greet()
        peer.send(peer.headers(1, TO_INFER) + frame(DATA, 0, 1, bytes(101)))
        assert [one.code for one in peer.of(RST_STREAM, 1)] == [ErrorCode.FLOW_CONTROL_ERROR]
    async with peering() as peer:
        peer.greet()
        peer.connection._credit = 100
        peer.send(peer.headers(1, TO_INFER) + frame(DATA, 0, 1, bytes(101)))
        assert [one.code for one in peer.of(GOAWAY)] == [ErrorCode.FLOW_CONTROL_ERROR]


async def test_a_client_that_does_not_read_is_sent_nothing_more_until_it_does() -> None:
    async with peering() as peer:
        peer.greet()
        peer.connection.pause_writing()
        peer.send(call(peer, 1, request(), TO_INFER))
        await peer.until(lambda: peer.of(HEADERS, 1))
        assert peer.data(1) == b""
        peer.connection.resume_writing()
        assert answer_of(peer, 1).id == "i"
        peer.connection.pause_writing()
        peer.connection.sweep(asyncio.get_running_loop().time() + 61)
        assert peer.transport.aborted


# --- limits -----------------------------------------------------------------------------------------------------------


async def test_streams_past_the_limit_are_refused_so_that_they_may_be_tried_again() -> None:
    async with peering(limits=Limits(streams=2)) as peer:
        peer.greet()
        peer.send(peer.headers(1) + peer.headers(3) + peer.headers(5))
        assert [(one.stream, one.code) for one in peer.of(RST_STREAM)] == [(5, ErrorCode.REFUSED_STREAM)]
        peer.send(frame(DATA, END_STREAM, 1, EMPTY))
        await peer.ended(1)
        peer.send(call(peer, 7))
        await peer.ended(7)
        assert peer.data(7) == LIVE_ANSWER


async def test_who_opens_streams_to_take_them_back_is_sent_away() -> None:
    async with peering() as peer:
        peer.greet()
        for stream in range(1, 1001, 2):
            peer.send(peer.headers(stream) + frame(RST_STREAM, 0, stream, bytes(4)))
            if peer.of(GOAWAY):
                break
        assert [one.code for one in peer.of(GOAWAY)] == [ErrorCode.ENHANCE_YOUR_CALM]
        assert stream // 2 == Limits().resets


async def test_a_stream_that_is_taken_back_takes_its_request_out_of_the_queue() -> None:
    model = Gated()
    async with peering(model) as peer:
        peer.greet()
        peer.send(gated(peer, 1))
        await asyncio.to_thread(model.entered.wait, 10)
        peer.send(gated(peer, 3) + frame(RST_STREAM, 0, 3, bytes(4)) + gated(peer, 5))
        model.release.set()
        await peer.ended(1)
        await peer.ended(5)
        assert model.calls == 2
        assert not peer.of(HEADERS, 3)


async def test_a_request_that_stops_in_the_middle_is_given_up_and_a_silent_client_is_asked() -> None:
    async with peering() as peer:
        peer.greet()
        peer.send(peer.headers(1, TO_INFER) + frame(DATA, 0, 1, b"\0\0"))
        now = asyncio.get_running_loop().time()
        for seconds in (0, 29, 31):
            peer.connection.sweep(now + seconds)
            peer.read()
        assert peer.fields(1)[0]["grpc-status"] == "4"
        assert not peer.of(PING)
        peer.connection.sweep(now + 7201)
        assert [one.flags for one in peer.of(PING)] == [0]
        peer.connection.sweep(now + 7222)
        assert peer.transport.aborted


async def test_who_says_nothing_at_all_is_cut_off() -> None:
    async with peering() as peer:
        now = asyncio.get_running_loop().time()
        peer.connection.sweep(now)
        peer.connection.sweep(now + 29)
        assert not peer.transport.ended
        peer.connection.sweep(now + 31)
        assert peer.transport.ended


# --- the end ----------------------------------------------------------------------------------------------------------


async def test_a_client_is_asked_to_leave_and_what_it_sends_until_it_knows_is_answered() -> None:
    async with peering() as peer:
        peer.greet()
        peer.connection.leave()
        assert struct.unpack(">II", peer.of(GOAWAY)[0].payload) == (2**31 - 1, 0)
        peer.send(call(peer, 1))
        (asked,) = peer.of(PING)
        peer.send(frame(PING, 1, 0, asked.payload) + call(peer, 3))
        assert struct.unpack(">II", peer.of(GOAWAY)[1].payload) == (1, 0)
        assert [one.code for one in peer.of(RST_STREAM, 3)] == [ErrorCode.REFUSED_STREAM]
        await peer.ended(1)
        assert peer.data(1) == LIVE_ANSWER
        assert peer.transport.ended


# --- anything at all --------------------------------------------------------------------------------------------------

KINDS = st.integers(0, 10)
FLAGS = st.sampled_from([0, 1, 4, 5, 8, 9, 0x20, 0x25, 0x2D, 0xFF])
PAYLOADS = st.binary(max_size=20) | st.sampled_from([bytes(4), bytes(8), EMPTY, request()])
FRAMES = st.builds(frame, KINDS, FLAGS, st.integers(0, 7), PAYLOADS)
CALLS = st.tuples(st.sampled_from([1, 3, 5, 7, 9]), st.sampled_from([EMPTY, request(), b"", b"\0\0"]))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(FRAMES | CALLS | st.binary(max_size=9), max_size=12), st.integers(1, 50))
async def test_whatever_frames_come_the_server_keeps_its_books(
    given: list[bytes | tuple[int, bytes]], size: int
) -> None:
    async with peering() as peer:
        peer.greet()
        whole = b"".join(one if isinstance(one, bytes) else call(peer, one[0], one[1], TO_INFER) for one in given)
        for start in range(0, len(whole), size):
            peer.send(whole[start : start + size])
        connection = peer.connection
        assert peer.transport.ended == bool(peer.of(GOAWAY))
        assert set(connection.blocked) <= set(connection.streams)
        assert all(stream.credit >= 0 for stream in connection.streams.values())


async def test_a_huge_frame_of_no_data_and_a_flood_of_settings_are_not_worked_through() -> None:
    for flood in (b"\1\0\1\1\4\0\0\0\1" + b"\x20" * 65_537, frame(SETTINGS, 0, 0, bytes(6) * 11_000)):
        async with peering() as peer:
            peer.greet()
            peer.send(flood)
            assert [one.code for one in peer.of(GOAWAY)] == [ErrorCode.ENHANCE_YOUR_CALM]


async def test_all_requests_of_a_connection_that_are_not_complete_have_a_bound() -> None:
    async with peering(limits=Limits(held=2000)) as peer:
        peer.greet()
        peer.send(peer.headers(1, TO_INFER) + frame(DATA, 0, 1, request(3000)[:1500]))
        peer.send(peer.headers(3, TO_INFER) + frame(DATA, 0, 3, request(3000)[:1500]))
        assert peer.fields(3)[0]["grpc-status"] == "8"
        peer.send(frame(DATA, END_STREAM, 1, request(3000)[1500:]))
        await peer.ended(1)
        assert len(answer_of(peer, 1).raw_output_contents[0]) == 3000
        assert peer.connection.held == 0


async def test_a_long_message_is_cut_so_that_clients_take_the_status() -> None:
    async with peering() as peer:
        peer.greet()
        peer.send(call(peer, 1, changed={":path": "/" + "x" * 20_000}))
        told = peer.fields(1)[0]
        assert told["grpc-status"] == "12"
        assert 1000 < len(told["grpc-message"]) <= 4096
        assert told["grpc-message"].endswith("%E2%80%A6")
