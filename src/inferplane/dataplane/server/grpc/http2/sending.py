"""What a connection sends: answers within the client's windows, at the pace at which it reads; and its farewell.

An answer that fits goes out at once, in one piece. Of any other, what does not fit waits in its stream until the client
has widened a window or read what is on its way.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from inferplane.dataplane.server.ending import end_sending
from inferplane.dataplane.server.grpc.http2 import frames
from inferplane.dataplane.server.grpc.http2.frames import ConnectionBroken, ErrorCode, Setting, StreamBroken
from inferplane.dataplane.server.grpc.http2.streams import Buffer, Owner, Stream

_REMEMBERED_RESETS = 128
_LEAVE_AT_LEAST = 1.0


class Sending:
    """The half of a connection that writes. `streams` are the open ones, `blocked` those with something to send."""

    HIGH_WATER = 1024 * 1024
    """Bytes on their way to a client; past it nothing more is written until it has read."""

    LEAVING = b"farewell"
    """A ping's content. When it comes back the client has heard that it should leave."""

    transport: asyncio.Transport

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.limits = owner.limits
        self.streams: dict[int, Stream] = {}
        self.blocked: dict[int, Stream] = {}
        self.was_reset: deque[int] = deque(maxlen=_REMEMBERED_RESETS)
        """Streams that we gave up: what the client sent before it knew is passed over."""
        self.last = 0
        """The client's latest stream."""
        self.held = 0
        """Bytes of requests that are not complete."""
        self.leaving_at: int | None = None
        """The last stream that is answered, once the client knows that."""
        self.deadline: float | None = None
        """When the connection is cut, on the loop's clock."""
        self._leaving = False
        self._window = frames.DEFAULT_WINDOW
        self._first_window = frames.DEFAULT_WINDOW
        self._frame_limit = frames.SMALLEST_FRAME_LIMIT
        self._paused = False
        self._closing = False
        self._outbox: list[Buffer] = []
        self._outbox_size = 0
        self._flushes = False

    # What is written in one turn of the loop leaves with one call of the system.

    def write(self, data: bytes) -> None:
        self._write_all((data,), len(data))

    def _write_all(self, pieces: Sequence[Buffer], size: int) -> None:
        if not self._outbox and not self._flushes:
            self.owner.loop.call_soon(self.flush)
        self._outbox += pieces
        self._outbox_size += size
        if self._outbox_size > self.HIGH_WATER:
            self.flush()

    def flush(self) -> None:
        outbox = self._outbox
        if not outbox:
            return
        self._outbox = []
        self._outbox_size = 0
        if len(outbox) == 1:
            self.transport.write(outbox[0])
        else:
            self.transport.writelines(outbox)

    # Answers.

    def answer(self, stream: Stream, head: bytes, prefix: bytes, body: bytes, tail: bytes) -> None:
        """Headers, data and trailers; `head` and `tail` are blocks."""
        size = len(prefix) + len(body)
        window = self._first_window + stream.window
        if size > self._frame_limit or size > self._window or size > window or self._paused or self.blocked:
            self.begin(stream, head)
            self.send(stream, (prefix, body), tail)
            return
        tag = stream.tag
        self._window -= size
        self.write(
            b"%b\1\4%b%b%b\0\0%b%b%b%b\1\5%b%b"
            % (
                len(head).to_bytes(3, "big"), tag, head,
                size.to_bytes(3, "big"), tag, prefix, body,
                len(tail).to_bytes(3, "big"), tag, tail,
            )
        )  # fmt: skip
        self._over(stream)

    def begin(self, stream: Stream, head: bytes) -> None:
        """The headers of an answer whose data will come."""
        self.write(frames.frame(frames.HEADERS, frames.END_HEADERS, stream.id, head))

    def answer_empty(self, stream: Stream, head: bytes) -> None:
        """Headers that are the whole answer."""
        self.write(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, stream.id, head))
        self._over(stream)

    def send(self, stream: Stream, pieces: Sequence[Buffer], tail: bytes | None = None) -> None:
        """Data, now or when there is room; with a `tail` the last, and then the trailers."""
        if stream.out is None:
            stream.out = deque()
        stream.out.extend(memoryview(piece).cast("B") for piece in pieces if len(piece))
        stream.tail = tail
        self.blocked[stream.id] = stream
        self._send_waiting(stream)

    def _send_waiting(self, stream: Stream) -> None:
        out = stream.out
        if out is None:
            return
        while out and not self._paused:
            room = min(self._window, self._first_window + stream.window, self._frame_limit)
            if room <= 0:
                return
            self._write_data(stream, _taken(out, room))
        if out:
            return
        del self.blocked[stream.id]
        if stream.tail is not None:
            tail = frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, stream.id, stream.tail)
            self.write(tail)
            self._over(stream)
        stream.sent()

    def _write_data(self, stream: Stream, pieces: list[Buffer]) -> None:
        size = sum([len(piece) for piece in pieces])
        self._window -= size
        stream.window -= size
        header = frames.HEADER.pack(size >> 8, size & 0xFF, frames.DATA, 0, stream.id)
        self._write_all([header, *pieces], frames.HEADER_SIZE + size)

    def _over(self, stream: Stream) -> None:
        """All is said. A client that has more to say is told that nobody listens."""
        del self.streams[stream.id]
        if not stream.ended:
            self.write_reset(stream.id, ErrorCode.NO_ERROR)
        if self._leaving:
            self.forgotten()

    def write_reset(self, id: int, code: ErrorCode) -> None:
        self.was_reset.append(id)
        self.write(frames.reset(id, code))

    def give_credit(self, stream: Stream, size: int) -> None:
        """The client may send so many bytes more on this stream."""
        stream.credit += size
        self.write(frames.window_update(stream.id, size))

    # Windows and pace.

    def configure(self, name: int, value: int) -> None:
        """A setting of the client's."""
        if name == Setting.INITIAL_WINDOW_SIZE:
            if value > frames.LARGEST_WINDOW:
                raise ConnectionBroken(ErrorCode.FLOW_CONTROL_ERROR, f"an initial window of {value} bytes")
            if any(value + stream.window > frames.LARGEST_WINDOW for stream in self.streams.values()):
                raise ConnectionBroken(ErrorCode.FLOW_CONTROL_ERROR, "a window past 2^31-1")
            self._first_window = value
            self._go_on()
        elif name == Setting.MAX_FRAME_SIZE:
            if not frames.SMALLEST_FRAME_LIMIT <= value <= frames.LARGEST_FRAME_LIMIT:
                raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, f"frames of {value} bytes")
            self._frame_limit = min(value, self.HIGH_WATER)
        elif name == Setting.ENABLE_PUSH and value > 1:
            raise ConnectionBroken(ErrorCode.PROTOCOL_ERROR, f"ENABLE_PUSH: {value}")

    def widen(self, increment: int) -> None:
        self._window += increment
        if self._window > frames.LARGEST_WINDOW:
            raise ConnectionBroken(ErrorCode.FLOW_CONTROL_ERROR, "a window past 2^31-1")
        if self.blocked:
            self._go_on()

    def widen_stream(self, stream: Stream, increment: int) -> None:
        stream.window += increment
        if self._first_window + stream.window > frames.LARGEST_WINDOW:
            raise StreamBroken(ErrorCode.FLOW_CONTROL_ERROR, stream.id)
        if stream.id in self.blocked:
            self._send_waiting(stream)

    def pause_writing(self) -> None:
        self._paused = True
        self.deadline = self.owner.loop.time() + self.limits.write_timeout

    def resume_writing(self) -> None:
        self._paused = False
        if not self._closing:
            self.deadline = None
        self._go_on()
        self.flush()

    def _go_on(self) -> None:
        for stream in list(self.blocked.values()):
            if self._paused or self._window <= 0:
                return
            if stream.id in self.blocked:
                self._send_waiting(stream)
        # Who could send something has; who waited behind the others comes first next time.

    # Farewell.

    def leave(self) -> None:
        """Asks the client to go elsewhere with its next call. Those that it sends before it knows are answered."""
        if self._leaving or self._closing:
            return
        self._leaving = True
        self.write(frames.goaway(frames.LARGEST_ID, ErrorCode.NO_ERROR) + frames.ping(self.LEAVING, ack=False))
        self.flush()
        self.owner.loop.call_later(_LEAVE_AT_LEAST, self.leave_now)

    def leave_now(self) -> None:
        """The client has had time to hear that it should go."""
        if not self._leaving or self.leaving_at is not None or self._closing:
            return
        self.leaving_at = self.last
        self.write(frames.goaway(self.last, ErrorCode.NO_ERROR))
        self.forgotten()

    def forgotten(self) -> None:
        """A stream is over; the last one of a client that leaves ends the connection."""
        if self.leaving_at is not None and not self.streams and not self._closing:
            self.close()

    def close(self) -> None:
        """Ends what we send. The client has a while to read it."""
        self.flush()
        self._closing = True
        self.deadline = self.owner.loop.time() + self.limits.linger
        end_sending(self.transport)


def _taken(out: deque[Buffer], room: int) -> list[Buffer]:
    """The first bytes of what waits, `room` at most."""
    taken: list[Buffer] = []
    while out and room:
        piece = out[0]
        if len(piece) <= room:
            taken.append(out.popleft())
            room -= len(piece)
        else:
            taken.append(piece[:room])
            out[0] = piece[room:]
            room = 0
    return taken
