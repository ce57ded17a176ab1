"""One client connection: frames in, streams out.

A request that comes whole in one read costs two look-ups: its block of headers is known by its bytes as long as the
table of compressed headers has not changed, and its data is one slice of what was read. Data is never held back to
complete a frame. What is sent goes through `Sending`.
"""

import asyncio
from typing import cast

from inferplane.dataplane.server.grpc.http2 import frames
from inferplane.dataplane.server.grpc.http2.frames import ConnectionBroken, ErrorCode, StreamBroken
from inferplane.dataplane.server.grpc.http2.hpack import Decoder
from inferplane.dataplane.server.grpc.http2.sending import Sending
from inferplane.dataplane.server.grpc.http2.streams import Head, Owner, Stream

CONNECTION_WINDOW = 16 * 1024 * 1024
"""Bytes that a client may send before it hears that they have come. Streams have windows of their own."""

_KNOWN_HEADS, _LONGEST_KNOWN = 256, 2048
_PRIORITY_SIZE = 5


class Connection(Sending, asyncio.Protocol):
    """Belongs to one event loop."""

    def __init__(self, owner: Owner) -> None:
        super().__init__(owner)
        self._rest = b""
        self._greeted = False
        self._configured = False
        self._decoder = Decoder(owner.limits.head)
        self._heads: dict[bytes, Head] = {}
        self._block: bytearray | None = None  # of a HEADERS frame that goes on in CONTINUATION frames
        self._block_stream = self._block_flags = self._block_frames = 0
        self._left = 0  # bytes of a DATA frame that are still to come
        self._left_stream = self._left_flags = 0
        self._credit = CONNECTION_WINDOW
        self._idle_frames = self._resets = self._opened = 0
        self._heard = True
        self._heard_at = owner.loop.time()

    # Transport callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=self.HIGH_WATER)
        self.owner.joined(self)
        more = CONNECTION_WINDOW - frames.DEFAULT_WINDOW
        self.transport.write(self.owner.greeting + frames.window_update(0, more))

    def connection_lost(self, error: Exception | None) -> None:
        self._closing = True
        self._outbox.clear()
        for stream in list(self.streams.values()):
            stream.cancelled()
        self.streams.clear()
        self.blocked.clear()
        self.owner.lost(self)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._heard = True
        if self._rest:
            data, self._rest = self._rest + data, b""
        self._flushes = True
        try:
            self._read(data)
        except ConnectionBroken as error:
            self.give_up(error.code, str(error))
        finally:
            self._flushes = False
            self.flush()

    def give_up(self, code: ErrorCode, text: str = "") -> None:
        """Tells the client why, and reads nothing more."""
        if self._closing:
            return
        for stream in list(self.streams.values()):
            stream.cancelled()
        self.streams.clear()
        self.blocked.clear()
        self.write(frames.goaway(self.last, code, text))
        self.close()

    # Frames.

    def _read(self, data: bytes) -> None:
        at = 0 if self._greeted else self._preface(data)
        end = len(data)
        if self._left:
            at = self._more(data, at)
        unpack = frames.HEADER.unpack_from
        while end - at >= frames.HEADER_SIZE:
            high, low, kind, flags, number = unpack(data, at)
            size = high << 8 | low
            start = at + frames.HEADER_SIZE
            at = start + size
            if size > self.limits.head and kind != frames.DATA:
                raise ConnectionBroken(ErrorCode.ENHANCE_YOUR_CALM, f"{size} bytes that are no data in one frame")
            if size > self.limits.frame:
                raise ConnectionBroken(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            if at > end and (kind != frames.DATA or flags & frames.PADDED):
                self._rest = data[start - frames.HEADER_SIZE :]
                return
            try:
                if not flags and kind == frames.DATA and number in self.streams and at <= end and self._block is None:
                    at = _run(data, start, at)
                    self._many(self.streams[number], data, start, size, at)
                else:
                    self._frame(kind, flags, number & frames.LARGEST_ID, data, start, at)
            except StreamBroken as broken:
                self.break_stream(broken)
        if at < end:
            self._rest = data[at:]

    def _preface(self, data: bytes) -> int:
        """Where the frames begin."""
        size = len(frames.PREFACE)
        if data[:size] != frames.PREFACE[: len(data)]:
            raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, "expected HTTP/2")
        if len(data) < size:
            self._rest = data
            return len(data)
        self._greeted = True
        return size

    def _frame(self, kind: int, flags: int, id: int, data: bytes, start: int, stop: int) -> None:
        if self._block is not None and (kind != frames.CONTINUATION or id != self._block_stream):
            raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, "expected CONTINUATION")
        if not self._configured and kind != frames.SETTINGS:
            raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, "expected SETTINGS first")
        if kind == frames.HEADERS:
            self._headers(flags, id, data[start:stop])
        elif kind == frames.DATA:
            self._data(flags, id, data, start, stop)
        else:
            self._control(kind, flags, id, data[start:stop])

    # Headers.

    def _headers(self, flags: int, id: int, block: bytes) -> None:
        if flags & (frames.PADDED | frames.WITH_PRIORITY):
            block = frames.unpadded(flags, block)
            if flags & frames.WITH_PRIORITY:
                _check_priority(block, id)
                block = block[_PRIORITY_SIZE:]
        if flags & frames.END_HEADERS:
            self._complete_block(flags, id, block)
        else:
            self._block = bytearray(block)
            self._block_stream, self._block_flags, self._block_frames = id, flags, 0

    def _continuation(self, flags: int, block: bytes) -> None:
        if self._block is None:
            raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self._block += block
        self._block_frames += 1
        if len(self._block) > self.limits.head or self._block_frames > self.limits.head_frames:
            raise ConnectionBroken(ErrorCode.ENHANCE_YOUR_CALM, f"headers of more than {self.limits.head} bytes")
        if flags & frames.END_HEADERS:
            whole, self._block = bytes(self._block), None
            self._complete_block(self._block_flags, self._block_stream, whole)

    def _complete_block(self, flags: int, id: int, block: bytes) -> None:
        if id <= self.last:
            self._trailers(flags, id, block)
            return
        head = self._heads.get(block) or self._new_head(block)
        if not id & 1:
            raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, f"a client's stream {id}")
        self.last = id
        self._opened += 1
        if self.leaving_at is not None or len(self.streams) >= self.limits.streams:
            raise StreamBroken(ErrorCode.REFUSED_STREAM, id)
        if head.malformed:
            raise StreamBroken(ErrorCode.PROTOCOL_ERROR, id)
        stream = self.streams[id] = self.owner.open(self, id, head)
        if flags & frames.END_STREAM:
            stream.ended = True
        if head.at_once:
            stream.begin()
        if stream.ended:
            stream.end()

    def _new_head(self, block: bytes) -> Head:
        before = self._decoder.changes
        head = self.owner.read_head(self._decoder.decode(block))
        if self._decoder.changes != before or len(self._heads) >= _KNOWN_HEADS:
            self._heads.clear()
        elif len(block) <= _LONGEST_KNOWN:
            self._heads[block] = head
        return head

    def _trailers(self, flags: int, id: int, block: bytes) -> None:
        """Of a request; nobody here uses what they say."""
        before = self._decoder.changes
        fields = self._decoder.decode(block)
        if self._decoder.changes != before:
            self._heads.clear()
        stream = self.streams.get(id)
        if stream is None:
            if id in self.was_reset:
                return
            raise ConnectionBroken(ErrorCode.STREAM_CLOSED, f"headers of stream {id}, which is over")
        if stream.ended:
            raise StreamBroken(ErrorCode.STREAM_CLOSED, id)
        if not flags & frames.END_STREAM or any(name[:1] == b":" for name, _ in fields):
            raise StreamBroken(ErrorCode.PROTOCOL_ERROR, id)
        stream.ended = True
        stream.end()

    # Data.

    def _data(self, flags: int, id: int, data: bytes, start: int, stop: int) -> None:
        """`stop` lies behind what was read when the frame's end is still to come."""
        size = stop - start
        self._spend(size)
        if stop > len(data):
            self._left, self._left_stream, self._left_flags = stop - len(data), id, flags
            stop = len(data)
        stream = self.streams.get(id)
        if stream is None:
            self._late(id)
            return
        _spend_of(stream, size)
        if flags == frames.END_STREAM and not self._left:
            stream.ended = True
            stream.complete(data, start, stop)
            return
        if flags & frames.PADDED:
            data = frames.unpadded(flags, data[start:stop])
            start, stop = 0, len(data)
            if not flags & frames.END_STREAM:
                self.give_credit(stream, size - stop)
        if start == stop:
            self._nothing()
        stream.data((memoryview(data)[start:stop],))
        if flags & frames.END_STREAM and not self._left:
            stream.ended = True
            stream.end()

    def _many(self, stream: Stream, data: bytes, start: int, size: int, stop: int) -> None:
        """Frames of `size` bytes each, the payload of the first from `start` on: most of a large message."""
        if not size:
            self._nothing()
        step = frames.HEADER_SIZE + size
        view = memoryview(data)
        parts = [view[at : at + size] for at in range(start, stop, step)]
        self._spend(size * len(parts))
        _spend_of(stream, size * len(parts))
        stream.data(parts)

    def _spend(self, size: int) -> None:
        self._credit -= size
        if self._credit < 0:
            raise ConnectionBroken(ErrorCode.FLOW_CONTROL_ERROR, "more data than the connection's window")
        if self._credit < CONNECTION_WINDOW // 2:
            self.write(frames.window_update(0, CONNECTION_WINDOW - self._credit))
            self._credit = CONNECTION_WINDOW

    def _more(self, data: bytes, start: int) -> int:
        """The next part of a DATA frame's payload; where it ends."""
        stop = min(len(data), start + self._left)
        self._left -= stop - start
        stream = self.streams.get(self._left_stream)
        if stream is not None:
            stream.data((memoryview(data)[start:stop],))
            if not self._left and self._left_flags & frames.END_STREAM:
                stream.ended = True
                stream.end()
        return stop

    def _late(self, id: int) -> None:
        """Data of a stream that is not open."""
        if not id or id > self.last or not id & 1:
            raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, f"data of stream {id}, which nobody has opened")
        if id not in self.was_reset:
            raise StreamBroken(ErrorCode.STREAM_CLOSED, id)

    # The other frames.

    def _control(self, kind: int, flags: int, id: int, payload: bytes) -> None:
        if kind == frames.WINDOW_UPDATE:
            self._window_update(id, payload)
        elif kind == frames.CONTINUATION:
            self._continuation(flags, payload)
        elif kind == frames.RST_STREAM:
            self._reset(id, payload)
        else:
            self._nothing()
            if kind == frames.SETTINGS:
                self._settings(flags, id, payload)
            elif kind == frames.PING:
                self._ping(flags, id, payload)
            elif kind == frames.PRIORITY:
                _sized(payload, _PRIORITY_SIZE, "PRIORITY")
                _check_priority(payload, id)
            elif kind == frames.GOAWAY:
                _of_connection(id, "GOAWAY")
            elif kind == frames.PUSH_PROMISE:
                raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, "a client promises nothing")

    def _nothing(self) -> None:
        """A frame that carries nothing; who sends many of them means harm."""
        self._idle_frames += 1
        if self._idle_frames > self.limits.idle_frames:
            raise ConnectionBroken(ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings")

    def _window_update(self, id: int, payload: bytes) -> None:
        _sized(payload, 4, "WINDOW_UPDATE")
        increment = int.from_bytes(payload, "big") & frames.LARGEST_WINDOW
        if not id:
            if not increment:
                raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE of nothing")
            self.widen(increment)
            return
        self._check_opened(id, "WINDOW_UPDATE")
        stream = self.streams.get(id)
        if not increment:
            raise StreamBroken(ErrorCode.PROTOCOL_ERROR, id)
        if stream is not None:
            self.widen_stream(stream, increment)

    def _reset(self, id: int, payload: bytes) -> None:
        _sized(payload, 4, "RST_STREAM")
        self._check_opened(id, "RST_STREAM")
        stream = self.streams.pop(id, None)
        self._resets += 1
        if self._resets > self.limits.resets and 2 * self._resets > self._opened:
            raise ConnectionBroken(ErrorCode.ENHANCE_YOUR_CALM, "too many streams are taken back")
        if stream is not None:
            self.blocked.pop(id, None)
            stream.cancelled()
            self.forgotten()

    def _check_opened(self, id: int, what: str) -> None:
        if not id or id > self.last or not id & 1:
            raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, f"{what} of stream {id}, which nobody has opened")

    def _settings(self, flags: int, id: int, payload: bytes) -> None:
        _of_connection(id, "SETTINGS")
        if flags & frames.ACK:
            _sized(payload, 0, "SETTINGS acknowledged")
            return
        self._configured = True
        for name, value in frames.read_settings(payload).items():
            self.configure(name, value)
        self.write(frames.SETTINGS_ACK)

    def _ping(self, flags: int, id: int, payload: bytes) -> None:
        _of_connection(id, "PING")
        _sized(payload, 8, "PING")
        if not flags & frames.ACK:
            self.write(frames.ping(payload, ack=True))
        elif payload == self.LEAVING:
            self.leave_now()

    # Ends.

    def break_stream(self, broken: StreamBroken) -> None:
        stream = self.streams.pop(broken.stream, None)
        self.blocked.pop(broken.stream, None)
        if stream is not None:
            stream.cancelled()
        self.write_reset(broken.stream, broken.code)
        self.forgotten()

    def sweep(self, now: float) -> None:
        """Looked in on from time to time: who is overdue, and who should be asked whether it is there."""
        self._idle_frames = self._resets = self._opened = 0
        if self.deadline is not None and now >= self.deadline:
            self.transport.abort()
        elif self._heard:
            self._heard, self._heard_at = False, now
        else:
            self._silent(now - self._heard_at)
            self.flush()

    def _silent(self, seconds: float) -> None:
        limits = self.limits
        if not self._configured:
            if seconds > limits.preface_timeout:
                self.transport.close()
            return
        if seconds > limits.body_timeout:
            for stream in list(self.streams.values()):
                stream.overdue()
        if seconds > limits.keep_alive + limits.ping_timeout:
            self.transport.abort()
        elif seconds > limits.keep_alive:
            self.write(frames.ping(b"\0" * 8, ack=False))


def _run(data: bytes, start: int, stop: int) -> int:
    """Where the last of the frames ends that come whole, and with the same header as this one, one after the other."""
    head = data[start - frames.HEADER_SIZE : start]
    size = stop - start
    last = len(data) - frames.HEADER_SIZE - size
    while size and stop <= last and data.startswith(head, stop):
        stop += frames.HEADER_SIZE + size
    return stop


def _spend_of(stream: Stream, size: int) -> None:
    stream.credit -= size
    if stream.ended:
        raise StreamBroken(ErrorCode.STREAM_CLOSED, stream.id)
    if stream.credit < 0:
        raise StreamBroken(ErrorCode.FLOW_CONTROL_ERROR, stream.id)


def _sized(payload: bytes, size: int, what: str) -> None:
    if len(payload) != size:
        raise ConnectionBroken(ErrorCode.FRAME_SIZE_ERROR, f"{what}: expected {size} bytes, got {len(payload)}")


def _of_connection(id: int, what: str) -> None:
    if id:
        raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, f"{what} of stream {id}")


def _check_priority(payload: bytes, id: int) -> None:
    if len(payload) < _PRIORITY_SIZE:
        raise ConnectionBroken(ErrorCode.FRAME_SIZE_ERROR, "a priority of less than 5 bytes")
    if not id:
        raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, "a priority of no stream")
    if int.from_bytes(payload[:4], "big") & frames.LARGEST_ID == id:
        raise StreamBroken(ErrorCode.PROTOCOL_ERROR, id)
