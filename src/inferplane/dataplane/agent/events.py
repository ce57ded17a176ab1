"""What is logged of a request and its answer: one CloudEvent each, as KServe's agent sends them. Pure.

In comes an `Exchange`, as the server or the sidecar took it, bodies as they were on the wire; out go events, and events
go out as requests over HTTP (binary), as JSON (structured) or as an array of that (batched). The attributes are those
of KServe's logger; `method`, `path`, `status`, `latencyms`, `sequence`, `headerlength` and `redacted` are ours.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import quote

import msgspec
import orjson

from inferplane.dataplane.agent.redaction import Redaction
from inferplane.dataplane.agent.settings import Labels, LoggerSettings, Mode

REQUEST = "org.kubeflow.serving.inference.request"
RESPONSE = "org.kubeflow.serving.inference.response"

ID_HEADER = "ce-id"
HEADER_LENGTH = "inference-header-content-length"

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"


Attributes: TypeAlias = dict[str, str | int | float]


class Exchange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A request and its answer. Times are seconds since the epoch.

    `headers` are those of the request that are of interest, names in lower case. A part that is not logged is None: of
    a stream's messages each is an exchange with one of the two, and its `sequence` from 1 on. `answer_length` is the
    answer's `inference-header-content-length`, 0 without one.
    """

    id: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None
    began: float
    status: int
    answer_type: str
    answer_length: int
    answer: bytes | None
    ended: float
    sequence: int = 0


class Event(msgspec.Struct, frozen=True, gc=False):
    """`attributes` by their CloudEvents names."""

    attributes: Attributes
    data: bytes

    @property
    def id(self) -> str:
        return str(self.attributes["id"])

    @property
    def kind(self) -> str:
        """`request` or `response`."""
        return str(self.attributes["type"]).rpartition(".")[2]


class Events:
    """Makes events of exchanges, for one logger. `new_id` names those whose request brings no `Ce-Id`."""

    def __init__(self, settings: LoggerSettings, new_id: Callable[[], str]) -> None:
        self._mode = settings.mode
        self._headers = [(name.lower(), _canonical(name)) for name in settings.headers]
        self._redaction = Redaction(settings.redact) if settings.redact else None
        self._new_id = new_id
        self._constant = _of_labels(settings.labels)
        self._last = 0.0, rfc3339(0.0)

    def of(self, exchange: Exchange, recorded: float) -> list[Event]:
        """The request's, and the response's if its status is 200: others are not logged, as in KServe."""
        asks, answers = self._parts(exchange)
        if not asks and not answers:
            return []
        about = self._about(exchange)
        made: list[Event] = []
        if asks:
            made.append(self._asked(exchange, {**about, **self._times(REQUEST, exchange.began, recorded)}))
        if answers:
            made.append(self._answered(exchange, {**about, **self._times(RESPONSE, exchange.ended, recorded)}))
        return made

    def number(self, exchange: Exchange) -> int:
        """How many `of` would make."""
        return sum(self._parts(exchange))

    def _parts(self, exchange: Exchange) -> tuple[bool, bool]:
        asks = exchange.body is not None and self._mode is not Mode.RESPONSE
        return asks, exchange.answer is not None and exchange.status == 200 and self._mode is not Mode.REQUEST

    def _about(self, exchange: Exchange) -> Attributes:
        about: Attributes = {
            "specversion": "1.0",
            "id": exchange.id or exchange.headers.get(ID_HEADER) or self._new_id(),
            **self._constant,
            "metadata": self._metadata(exchange.headers) if self._headers else "{}",
            "method": exchange.method,
            "path": exchange.path,
        }
        if exchange.sequence:
            about["sequence"] = str(exchange.sequence)
        return about

    def _times(self, kind: str, time: float, recorded: float) -> Attributes:
        happened = rfc3339(time)
        return {
            "type": kind,
            "time": happened,
            "recordedtime": self._recorded(recorded) if recorded > time else happened,
        }

    def _recorded(self, time: float) -> str:
        """The same for many events."""
        if time != self._last[0]:
            self._last = time, rfc3339(time)
        return self._last[1]

    def _asked(self, exchange: Exchange, about: Attributes) -> Event:
        kind = exchange.headers.get("content-type", "")
        length = exchange.headers.get(HEADER_LENGTH)
        return self._event(about, kind, 0 if length is None else _number(length), exchange.body or b"")

    def _answered(self, exchange: Exchange, about: Attributes) -> Event:
        about["status"] = exchange.status
        about["latencyms"] = round((exchange.ended - exchange.began) * 1000, 3)
        return self._event(about, exchange.answer_type, exchange.answer_length, exchange.answer or b"")

    def _metadata(self, headers: Mapping[str, str]) -> str:
        found = {shown: [headers[name]] for name, shown in self._headers if name in headers}
        return orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode()

    def _event(self, about: Attributes, kind: str, length: int, data: bytes) -> Event:
        if kind:
            about["datacontenttype"] = kind
        if length:
            about["headerlength"] = length
        if self._redaction is not None and data:
            redacted = None if length else self._redaction.of(data)
            about["redacted"] = "fields" if redacted is not None else "all"
            data = redacted or b""
        return Event(about, data)


def _of_labels(labels: Labels) -> Attributes:
    """Those that are the same in all events of a logger; empty ones are left out."""
    annotations = orjson.dumps(dict(labels.annotations), option=orjson.OPT_SORT_KEYS).decode()
    named = {
        "source": labels.source,
        "inferenceservicename": labels.inference_service,
        "namespace": labels.namespace,
        "component": labels.component,
        "endpoint": labels.endpoint,
        "annotations": annotations if labels.annotations else "",
    }
    return {name: value for name, value in named.items() if value}


def _canonical(name: str) -> str:
    """As Go spells names of headers, which is how KServe's events tell them."""
    return "-".join(word.capitalize() for word in name.split("-"))


def _number(text: str) -> int:
    """0 for what is none, which the server has refused."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0


def rfc3339(time: float) -> str:
    """In UTC, with microseconds."""
    seconds, micros = divmod(round(time * 1e6), 1_000_000)
    return f"{_to_the_second(seconds)}.{micros:06d}Z"


@lru_cache(maxsize=16)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


# Forms.


def structured(event: Event) -> bytes:
    """The event as one line of JSON: its payload as `data` where that is JSON, as `data_base64` where it is not."""
    whole: dict[str, object] = {**event.attributes}
    if event.data:
        kind = str(whole.get("datacontenttype", ""))
        line = _as_line(kind, event.data)
        if line is None:
            whole["data_base64"] = b64encode(event.data).decode()
        else:
            if not _says_json(kind):
                whole["datacontenttype"] = _JSON
            whole["data"] = orjson.Fragment(line)
    return orjson.dumps(whole)


def batched(events: Sequence[Event]) -> bytes:
    """CloudEvents' JSON batch format."""
    return b"[%b]" % b",".join([structured(event) for event in events])


def binary(event: Event) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request that is the event."""
    headers = {
        f"ce-{name}": quote(str(value), safe=_PRINTABLE)
        for name, value in event.attributes.items()
        if name != "datacontenttype"
    }
    kind = event.attributes.get("datacontenttype")
    if kind is not None:
        headers["content-type"] = str(kind)
    return headers, event.data


_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
"""Not even the blank and the quotation mark, which the HTTP binding has encoded: KServe's agent does not, and who reads
its `metadata` reads it as JSON."""


def _as_line(kind: str, data: bytes) -> bytes | None:
    """The payload as JSON without line breaks, None when it is something else. Numbers stay as they were written."""
    if not _may_be_json(kind):
        return None
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    # No line break is inside a JSON string: they are escaped there.
    return data.replace(b"\r", b" ").replace(b"\n", b" ") if b"\n" in data or b"\r" in data else data


@lru_cache(maxsize=64)
def _says_json(kind: str) -> bool:
    media = kind.partition(";")[0].strip().lower()
    return media == _JSON or media.endswith("+json")


@lru_cache(maxsize=64)
def _may_be_json(kind: str) -> bool:
    """`curl -d` labels its body a form, and some clients say nothing."""
    return not kind or kind.partition(";")[0].strip().lower() == _FORM or _says_json(kind)


def parsed(line: bytes) -> Event:
    """The event of a line that `structured` wrote, its payload byte for byte. ValueError for anything else."""
    try:
        whole = _LINE.decode(line)
    except msgspec.MsgspecError as error:
        raise ValueError(f"expected a CloudEvent as a JSON object: {error}") from error
    if "id" not in whole or "type" not in whole:
        raise ValueError("expected a CloudEvent with id and type")
    attributes = {name: msgspec.json.decode(raw) for name, raw in whole.items() if name not in ("data", "data_base64")}
    if "data_base64" in whole:
        return Event(attributes, b64decode(str(msgspec.json.decode(whole["data_base64"])), validate=True))
    return Event(attributes, bytes(whole["data"]) if "data" in whole else b"")


_LINE = msgspec.json.Decoder(dict[str, msgspec.Raw])
