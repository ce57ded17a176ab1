"""One HTTP/2 connection of either role, on the `h2` library: frames in, calls to a `Party` out, and flow control.

What has to wait for the peer's window waits in a stream's outbox, and its sender is told when it went out, so that the
other side of the proxy is only then asked for more.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    RemoteSettingsChanged,
    RequestReceived,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import Frame, GoAwayFrame

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]
Sent: TypeAlias = Callable[[], None]

STREAMS = 1000
"""Streams that a client may have on one connection; Envoy opens another one then."""

# What streams hold back is bounded by their own windows; one of the connection would make them wait for each other.
_CONNECTION_WINDOW = (1 << 31) - 1 - 65_535
_REQUEST_WINDOW = 65_535
_ANSWER_WINDOW = 256 * 1024


class _Connection(H2Connection):
    """A GOAWAY leaves the streams that it names to their end (RFC 9113, 6.8); `h2` takes it for the end of all."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        event = ConnectionTerminated()
        event.last_stream_id = frame.last_stream_id
        return [], [event]


class Party(Protocol):
    """The other half of a stream: told what the peer says."""

    def headers(self, headers: Headers, *, ended: bool) -> None: ...

    def interim(self, headers: Headers) -> None:
        """Headers of 1xx; others follow."""

    def data(self, data: bytes, taken: int, *, ended: bool) -> None:
        """`taken` is what it took of the window, to be given back by `Wire.consumed`."""

    def trailers(self, headers: Headers) -> None: ...

    def reset(self, code: int) -> None:
        """The peer, or the connection's end, gave the stream up."""


@dataclass(slots=True)
class _Outbox:
    """What waits for the window. `last`: the trailers, or None where the stream just ends."""

    chunks: deque[tuple[bytes, Sent]] = field(default_factory=deque)
    ending: bool = False
    last: Headers | None = None
    abandoned: bool = False
    """The peer shall stop sending when it has all of this."""

    def throw_away(self) -> None:
        while self.chunks:
            self.chunks.popleft()[1]()


class Wire(asyncio.Protocol):
    """Base of both roles. Calls from `Party` objects may come at any time; what they cause goes out together."""

    def __init__(self, *, client: bool) -> None:
        self.parties: dict[int, Party] = {}
        self.leaving = False
        """The peer takes no new streams."""
        self._outboxes: dict[int, _Outbox] = {}
        self._flushing = False
        self._writable = True
        self._h2 = _Connection(
            H2Configuration(
                client_side=client,
                header_encoding=None,
                # What is passed on was checked when it came in.
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        settings = {SettingCodes.INITIAL_WINDOW_SIZE: _ANSWER_WINDOW if client else _REQUEST_WINDOW}
        settings |= {SettingCodes.ENABLE_PUSH: 0} if client else {SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS}
        self._h2.local_settings = Settings(client=client, initial_values=settings)

    def settled(self) -> None:
        """The peer's settings are known."""

    def opened(self, stream: int, headers: Headers, *, ended: bool) -> None:
        """A client began a stream. Only servers get it."""

    def closed(self) -> None:
        """The connection ended; its parties were told."""

    # --- asyncio.Protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._h2.receive_data(data):
                self._event(event)
        except ProtocolError:
            # `h2` has put the GOAWAY that says so into what is to be sent.
            self._flush()
            self.transport.close()
            return
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        self.leaving = True
        parties, self.parties = self.parties, {}
        for stream in list(self._outboxes):
            self._drop_outbox(stream)
        for party in parties.values():
            party.reset(ErrorCodes.INTERNAL_ERROR)
        self.closed()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        for stream in list(self._outboxes):
            self._pump(stream)
        self._flush()

    # --- in ---------------------------------------------------------------------------------------------------------

    def _event(self, event: Event) -> None:
        match event:
            case DataReceived():
                self._data(event)
            case RequestReceived(stream_id=stream, headers=headers):
                self.opened(stream, _plain(headers), ended=event.stream_ended is not None)
            case ResponseReceived(stream_id=stream, headers=headers):
                if party := self._party(stream):
                    party.headers(_plain(headers), ended=event.stream_ended is not None)
            case InformationalResponseReceived(stream_id=stream, headers=headers):
                if party := self._party(stream):
                    party.interim(_plain(headers))
            case TrailersReceived(stream_id=stream, headers=headers):
                if party := self._party(stream):
                    party.trailers(_plain(headers))
            case StreamReset(stream_id=stream, error_code=code):
                self._drop_outbox(stream)
                if party := self.parties.pop(stream, None):
                    party.reset(int(code or 0))
            case WindowUpdated(stream_id=stream):
                for one in [stream] if stream else list(self._outboxes):
                    self._pump(one)
            case RemoteSettingsChanged():
                self.settled()
                for one in list(self._outboxes):
                    self._pump(one)
            case ConnectionTerminated(last_stream_id=last):
                self._leave(last or 0)

    def _data(self, event: DataReceived) -> None:
        party, taken = self._party(event.stream_id), event.flow_controlled_length or 0
        if party is None:
            self.consumed(event.stream_id, taken)
        else:
            party.data(bytes(event.data or b""), taken, ended=event.stream_ended is not None)

    def _leave(self, last: int) -> None:
        self.leaving = True
        for stream in [one for one in self.parties if one > last]:
            self._drop_outbox(stream)
            self.parties.pop(stream).reset(ErrorCodes.REFUSED_STREAM)

    def _party(self, stream: int | None) -> Party | None:
        return self.parties.get(stream or 0)

    # --- out --------------------------------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """For another stream of ours."""
        most = self._h2.remote_settings.max_concurrent_streams
        return not self.leaving and not self.transport.is_closing() and len(self.parties) < most

    def open(self, party: Party, headers: Headers, *, end: bool) -> int:
        """Begins a stream of ours. Only where `has_room`."""
        stream = self._h2.get_next_available_stream_id()
        self.parties[stream] = party
        self._h2.send_headers(stream, headers, end_stream=end)
        self._flush_soon()
        return stream

    def send_headers(self, stream: int, headers: Headers, *, end: bool) -> None:
        try:
            self._h2.send_headers(stream, headers, end_stream=end)
        except ProtocolError:
            # The peer has reset it, and said so in the same bytes.
            return
        self._flush_soon()

    def send(self, stream: int, data: bytes, sent: Sent, *, end: bool) -> None:
        """`sent` is called when the last byte went out or was thrown away with the stream, at once or later."""
        outbox = self._outboxes.setdefault(stream, _Outbox())
        outbox.chunks.append((data, sent))
        outbox.ending = outbox.ending or end
        self._pump(stream)

    def end(self, stream: int, trailers: Headers | None = None) -> None:
        outbox = self._outboxes.setdefault(stream, _Outbox())
        outbox.ending, outbox.last = True, trailers
        self._pump(stream)

    def reset(self, stream: int, code: int) -> None:
        """Gives it up: nothing more is sent or told."""
        self.parties.pop(stream, None)
        self._drop_outbox(stream)
        try:
            self._h2.reset_stream(stream, code)
        except ProtocolError:
            # It is over on the wire.
            return
        self._flush_soon()

    def forget(self, stream: int) -> None:
        """Nothing more is told about it; what is in its outbox still goes out."""
        self.parties.pop(stream, None)

    def stop(self, stream: int) -> None:
        """The same, of a peer that is still sending: when it has all it shall stop."""
        if (outbox := self._outboxes.get(stream)) is not None:
            self.parties.pop(stream, None)
            outbox.abandoned = True
        else:
            self.reset(stream, ErrorCodes.NO_ERROR)

    def close(self) -> None:
        """What was said before still goes out."""
        self._flush()
        self.transport.close()

    def consumed(self, stream: int, taken: int) -> None:
        """The peer may send that much more."""
        if taken:
            try:
                self._h2.acknowledge_received_data(taken, stream)
            except ProtocolError:
                return
            self._flush_soon()

    def _pump(self, stream: int) -> None:
        outbox = self._outboxes.get(stream)
        if outbox is None or not self._writable:
            return
        try:
            self._send_what_fits(stream, outbox)
        except ProtocolError:
            # Reset by the peer meanwhile.
            self._drop_outbox(stream)
        self._flush_soon()

    def _drop_outbox(self, stream: int) -> None:
        if (outbox := self._outboxes.pop(stream, None)) is not None:
            outbox.throw_away()

    def _send_what_fits(self, stream: int, outbox: _Outbox) -> None:
        while outbox.chunks:
            data, sent = outbox.chunks[0]
            most = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            last = outbox.ending and outbox.last is None and len(outbox.chunks) == 1 and len(data) <= most
            if data and most <= 0:
                return
            self._h2.send_data(stream, data[:most], end_stream=last)
            if len(data) > most:
                outbox.chunks[0] = (data[most:], sent)
                continue
            outbox.chunks.popleft()
            sent()
            if last:
                self._over(stream, outbox)
                return
        if outbox.ending:
            if outbox.last is None:
                self._h2.end_stream(stream)
            else:
                self._h2.send_headers(stream, outbox.last, end_stream=True)
            self._over(stream, outbox)

    def _over(self, stream: int, outbox: _Outbox) -> None:
        self._outboxes.pop(stream, None)
        if outbox.abandoned:
            self._h2.reset_stream(stream, ErrorCodes.NO_ERROR)

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if (data := self._h2.data_to_send()) and not self.transport.is_closing():
            self.transport.write(data)


def _plain(headers: object) -> Headers:
    return cast(Headers, headers)
