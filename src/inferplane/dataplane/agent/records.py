"""Files of events as KServe's agent stores them: a record for each event, as JSON, CSV or Parquet. Pure.

Columns and keys are KServe's, and so is what is missing among the columns: the time. `jsonl` is ours, an event in
structured form a line, which `inferplane replay` reads.
"""

import csv
import io
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from posixpath import join
from urllib.parse import SplitResult, urlsplit

import orjson

from inferplane.dataplane.agent.events import Event, structured
from inferplane.dataplane.agent.settings import Format
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject

COLUMNS = (
    "url",
    "bytes",
    "contentType",
    "reqType",
    "id",
    "sourceUri",
    "inferenceService",
    "namespace",
    "component",
    "endpoint",
    "metadata",
    "annotations",
    "certName",
    "tlsSkipVerify",
)

CONTENT_TYPES = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv",
    Format.PARQUET: "application/octet-stream",
    Format.JSONL: "application/x-ndjson",
}


class NoParquet(InferplaneError):
    pass


@dataclass(frozen=True, slots=True)
class About:
    """What records say of the logger: its URL, and how it trusts it."""

    url: str
    certificate: str = ""
    skip_verify: bool = False


def key(url: str, store_path: str, first: Event, extension: str) -> str:
    """A file's name below its bucket or directory: whose events, where in the store, and the first record's id."""
    of = first.attributes
    parts = [str(of.get(name, "")) for name in ("namespace", "inferenceservicename", "component")]
    below = [part for part in (urlsplit(url).path.strip("/"), *parts, store_path.strip("/")) if part]
    # An id is the client's to choose; it names one file, whatever it looks like.
    name = first.id.replace("/", "_")
    return join(*below, f"{name}-{first.kind}.{extension}")


def marshalled(format: Format, events: Sequence[Event], about: About) -> bytes:
    """One file."""
    return _MARSHALS[format](events, about)


def record(event: Event, about: About) -> JsonObject:
    """As KServe's marshallers are sent it; what is empty is left out."""
    of = event.attributes
    found: JsonObject = {
        "url": _url(about.url),
        "bytes": b64encode(event.data).decode(),
        "contentType": str(of.get("datacontenttype", "")),
        "reqType": str(of["type"]),
        "id": event.id,
        "sourceUri": _url(str(of.get("source", ""))),
        "inferenceService": str(of.get("inferenceservicename", "")),
        "namespace": str(of.get("namespace", "")),
        "component": str(of.get("component", "")),
        "endpoint": str(of.get("endpoint", "")),
        "metadata": orjson.loads(str(of.get("metadata", "{}"))),
        "annotations": orjson.loads(str(of.get("annotations", "{}"))),
        "certName": about.certificate,
        "tlsSkipVerify": about.skip_verify,
    }
    kept = {name: value for name, value in found.items() if value}
    return {**kept, "occurrenceTime": str(of["time"])}


def row(event: Event, about: About) -> list[str | bool]:
    """The same, as texts in the order of `COLUMNS`."""
    of = event.attributes
    named = ("inferenceservicename", "namespace", "component", "endpoint", "metadata", "annotations")
    return [
        about.url,
        b64encode(event.data).decode(),
        str(of.get("datacontenttype", "")),
        str(of["type"]),
        event.id,
        str(of.get("source", "")),
        *(str(of.get(name, "")) for name in named),
        about.certificate,
        about.skip_verify,
    ]


def as_array(events: Sequence[Event], about: About) -> bytes:
    """What another marshaller than ours is posted: an array, however many there are."""
    return orjson.dumps([record(event, about) for event in events])


def _as_json(events: Sequence[Event], about: About) -> bytes:
    return orjson.dumps(record(events[0], about)) if len(events) == 1 else as_array(events, about)


def _as_csv(events: Sequence[Event], about: About) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for event in events:
        writer.writerow([str(value).lower() if isinstance(value, bool) else value for value in row(event, about)])
    return out.getvalue().encode()


def _as_parquet(events: Sequence[Event], about: About) -> bytes:
    import pyarrow as arrow
    from pyarrow import parquet

    kinds = [*(arrow.string() for _ in COLUMNS[:-1]), arrow.bool_()]
    schema = arrow.schema(list(zip(COLUMNS, kinds, strict=True)))
    columns = list(zip(*(row(event, about) for event in events), strict=True)) or [()] * len(COLUMNS)
    table = arrow.table([arrow.array(list(c), kind) for c, kind in zip(columns, kinds, strict=True)], schema=schema)
    out = io.BytesIO()
    parquet.write_table(table, out)
    return out.getvalue()


def check_parquet() -> None:
    """Raises NoParquet where pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise NoParquet("Parquet needs pyarrow, which is not installed", fix="pip install 'inferplane[parquet]'")


def _as_lines(events: Sequence[Event], about: About) -> bytes:
    return b"".join([b"%b\n" % structured(event) for event in events])


_MARSHALS: Mapping[Format, Callable[[Sequence[Event], About], bytes]] = {
    Format.JSON: _as_json,
    Format.CSV: _as_csv,
    Format.PARQUET: _as_parquet,
    Format.JSONL: _as_lines,
}


def _url(text: str) -> JsonObject | None:
    """Go's `url.URL` as JSON."""
    if not text:
        return None
    parts: SplitResult = urlsplit(text)
    user, at, host = parts.netloc.rpartition("@")
    # Go shows no user in JSON but that there is one.
    return {
        "Scheme": parts.scheme,
        "Opaque": "",
        "User": {} if at and user else None,
        "Host": host,
        "Path": parts.path,
        "RawPath": "",
        "OmitHost": False,
        "ForceQuery": False,
        "RawQuery": parts.query,
        "Fragment": parts.fragment,
        "RawFragment": "",
    }
