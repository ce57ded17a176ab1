"""Files of records: one CloudEvent a line, a request and its response under one id. Pure.

`inferplane record` and the logger's JSON-lines sink write them. `index` goes once through all lines and keeps where
each exchange is, so that a file of any size can be replayed; `exchange` reads one from its two lines.
"""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import msgspec

from inferplane.dataplane.agent.events import REQUEST, RESPONSE
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject

_KINDS = (REQUEST, RESPONSE)
_SHOWN = 3
HOW = "a file of `inferplane record`, or of the logger's JSON-lines sink, is expected"


class RecordError(InferplaneError):
    """A file from which nothing can be replayed."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent in structured JSON form, as far as it is read back. `data` keeps its bytes as they are."""

    id: str
    type: str
    source: str = ""
    time: str = ""
    inferenceservicename: str = ""
    namespace: str = ""
    component: str = ""
    path: str = ""
    method: str = "POST"
    status: int | None = None
    latencyms: float | None = None
    datacontenttype: str = ""
    headerlength: int | str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    data_base64: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """`seconds` is how long it took; `json_length` is set where tensors follow the JSON (V2 binary)."""

    status: int
    body: bytes
    content_type: str = "application/json"
    json_length: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A recorded request and what was answered; `line` is the request's in the file, from 1."""

    id: str
    line: int
    method: str
    path: str
    body: bytes
    content_type: str = "application/json"
    json_length: int | None = None
    answer: Answer | None = None


Span: TypeAlias = tuple[int, int]
"""Offset and length of a line, in bytes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an exchange is. `when`: seconds since 1970 at which the request came, None when the file does not say."""

    id: str
    line: int
    request: Span
    response: Span | None
    when: float | None


@dataclass(frozen=True, slots=True)
class Index:
    """`services` are NAMESPACE/NAME of what was recorded; `notes` say what of the file is not used."""

    entries: Sequence[Entry]
    services: Sequence[str] = ()
    notes: Sequence[str] = ()


@dataclass(slots=True)
class _Seen:
    requests: dict[str, tuple[int, Span, float | None]] = field(default_factory=dict)
    responses: dict[str, Span] = field(default_factory=dict)
    services: dict[str, None] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    others: int = 0
    twice: int = 0


def index(lines: Iterable[bytes], name: str) -> Index:
    """`lines` with their ends, as a file opened in binary mode gives them. Raises RecordError: nothing to replay."""
    seen, offset, cut = _Seen(), 0, False
    for number, line in enumerate(lines, 1):
        span = (offset, len(line))
        offset += len(line)
        if not line.strip():
            continue
        try:
            event = read_event(line)
        except RecordError as error:
            # What was being written when the recorder was ended.
            cut = not line.endswith(b"\n")
            if not cut:
                seen.bad.append(f"line {number}: {error.message}")
            continue
        _take(seen, event, number, span)
    if not seen.requests:
        raise RecordError(f"{name}: no recorded request{_why(seen, cut)}", fix=HOW)
    return Index(_entries(seen), tuple(seen.services), _notes(seen, cut))


def _take(seen: _Seen, event: Event, number: int, span: Span) -> None:
    if event.type not in _KINDS:
        seen.others += 1
        return
    known = seen.requests if event.type == REQUEST else seen.responses
    if event.id in known:
        seen.twice += 1
    elif event.type == RESPONSE:
        seen.responses[event.id] = span
    else:
        seen.requests[event.id] = (number, span, _seconds(event.time))
        if event.inferenceservicename:
            seen.services[f"{event.namespace or 'default'}/{event.inferenceservicename}"] = None


def _entries(seen: _Seen) -> list[Entry]:
    found = seen.requests.items()
    return [Entry(name, number, span, seen.responses.get(name), when) for name, (number, span, when) in found]


def _why(seen: _Seen, cut: bool) -> str:
    reasons = [*seen.bad[:1], *(["its only line is cut"] if cut else [])]
    if seen.responses:
        reasons.append(f"{len(seen.responses)} responses without their requests (a log mode of `response`?)")
    return f" ({'; '.join(reasons)})" if reasons else ""


def _notes(seen: _Seen, cut: bool) -> list[str]:
    alone = len(seen.requests.keys() - seen.responses.keys())
    lost = len(seen.responses.keys() - seen.requests.keys())
    more = f" and {len(seen.bad) - _SHOWN} more" if len(seen.bad) > _SHOWN else ""
    found = {
        f"{'; '.join(seen.bad[:_SHOWN])}{more}: left out": bool(seen.bad),
        "the last line is cut: left out": cut,
        f"{alone:,} requests have no recorded answer: sent, and not compared": bool(alone),
        f"{lost:,} answers have no recorded request: left out": bool(lost),
        f"{seen.twice:,} records have the id of another: left out": bool(seen.twice),
        f"{seen.others:,} events of other types: left out": bool(seen.others),
    }
    return [words for words, holds in found.items() if holds]


def read_event(line: bytes) -> Event:
    """Raises RecordError."""
    try:
        return msgspec.json.decode(line, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"not a CloudEvent as JSON: {error}") from error


def exchange(entry: Entry, request: bytes, response: bytes | None) -> Exchange:
    """From its lines. Raises RecordError where a body is not what the event says."""
    asked = read_event(request)
    answer = read_event(response) if response is not None else None
    return Exchange(
        id=entry.id,
        line=entry.line,
        method=asked.method,
        path=asked.path,
        body=_body(asked),
        content_type=asked.datacontenttype or "application/json",
        json_length=_length(asked),
        answer=_answer(asked, answer) if answer else None,
    )


def _answer(asked: Event, event: Event) -> Answer:
    seconds = event.latencyms / 1000 if event.latencyms is not None else _between(asked.time, event.time)
    return Answer(
        # KServe's logger writes a response only when it is a success.
        status=200 if event.status is None else event.status,
        body=_body(event),
        content_type=event.datacontenttype or "application/json",
        json_length=_length(event),
        seconds=seconds,
    )


def _body(event: Event) -> bytes:
    if event.data_base64 is not None:
        try:
            return base64.b64decode(event.data_base64, validate=True)
        except binascii.Error as error:
            raise RecordError(f"event {event.id}: data_base64 is not base64: {error}") from error
    raw = bytes(event.data)
    if raw.startswith(b'"') and "json" not in (event.datacontenttype or "json"):
        # CloudEvents: text of another type stands in a JSON string.
        return msgspec.json.decode(raw, type=str).encode()
    return raw


def _length(event: Event) -> int | None:
    found = event.headerlength
    if found is None:
        return None
    try:
        return int(found)
    except ValueError as error:
        raise RecordError(f"event {event.id}: headerlength is no number: {found!r}") from error


def _seconds(time: str) -> float | None:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return None


def _between(since: str, until: str) -> float | None:
    start, end = _seconds(since), _seconds(until)
    return end - start if start is not None and end is not None and end >= start else None


# --- writing ----------------------------------------------------------------------------------------------------------


def written(attributes: JsonObject, body: bytes, content_type: str, json_length: int | None = None) -> bytes:
    """A line: a JSON body stands in `data` as it is (on one line), any other as base64."""
    named: JsonObject = {"specversion": "1.0", **attributes, "datacontenttype": content_type}
    if json_length is not None:
        named["headerlength"] = json_length
    if not body:
        return msgspec.json.encode(named) + b"\n"
    if json_length is None and "json" in content_type and (raw := _on_one_line(body)) is not None:
        return msgspec.json.encode({**named, "data": msgspec.Raw(raw)}) + b"\n"
    return msgspec.json.encode({**named, "data_base64": base64.b64encode(body).decode()}) + b"\n"


def _on_one_line(body: bytes) -> bytes | None:
    """None for what is no JSON."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return msgspec.json.format(body, indent=-1) if b"\n" in body or b"\r" in body else body
