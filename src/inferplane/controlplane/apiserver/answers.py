"""Objects and lists as answers, in the form and medium that the client asked for."""

from collections.abc import Sequence

import yaml

from inferplane.controlplane.apiserver import objects
from inferplane.controlplane.apiserver.calls import Answer, Call
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import not_acceptable
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.negotiation import Form, Media, Wanted
from inferplane.controlplane.apiserver.storage import Stored, encode
from inferplane.controlplane.apiserver.tables.table import partial, table
from inferplane.kernel.json import Json, JsonObject

ONE = frozenset({Form.TABLE, Form.PARTIAL})
MANY = frozenset({Form.TABLE, Form.PARTIAL, Form.PARTIAL_LIST})


def plain(wanted: Wanted, obj: JsonObject, status: int = 200, warnings: Sequence[str] = ()) -> Answer:
    """Any JSON value, as JSON or YAML."""
    if wanted.media is Media.YAML:
        text = yaml.safe_dump(obj, sort_keys=False, allow_unicode=True).encode()
        return Answer(status, text, str(Media.YAML), _warnings(warnings))
    return Answer(status, encode(obj), "application/json", _warnings(warnings))


def one(core: Core, call: Call, stored: Stored, status: int = 200) -> Answer:
    """One object."""
    wanted = call.wanted
    if wanted.form is Form.OBJECT and wanted.media is Media.JSON:
        return Answer(status, stored.json, headers=_warnings(call.warnings))
    return plain(wanted, _shape(core, call, stored), status, call.warnings)


def _shape(core: Core, call: Call, stored: Stored) -> JsonObject:
    match call.wanted.form:
        case Form.TABLE:
            version = {"resourceVersion": objects.resource_version(stored.object)}
            return rows(core, call, [stored.object], dict[str, Json](version))
        case Form.PARTIAL:
            return partial(stored.object, call.wanted.version)
        case _:
            return stored.object


def rows(
    core: Core, call: Call, found: Sequence[JsonObject], metadata: JsonObject, *, header: bool = True
) -> JsonObject:
    include = call.query.get("includeObject") or "Metadata"
    now = core.clock.now()
    return table(call.kind, found, metadata, now, include=include, version=call.wanted.version or "v1", header=header)


def many(core: Core, call: Call, found: Sequence[Stored], metadata: JsonObject) -> Answer:
    """A list. `metadata` holds resourceVersion, and continue and remainingItemCount where there is more."""
    kind, wanted = call.kind, call.wanted
    match wanted.form:
        case Form.TABLE:
            return plain(wanted, rows(core, call, [stored.object for stored in found], metadata))
        case Form.PARTIAL_LIST:
            version = wanted.version
            items: Json = [partial(stored.object, version) for stored in found]
            head: JsonObject = {"kind": "PartialObjectMetadataList", "apiVersion": f"meta.k8s.io/{version}"}
            return plain(wanted, head | {"metadata": metadata, "items": items})
        case Form.PARTIAL:
            raise not_acceptable(_not_a_list(kind))
    head = list_head(kind, metadata)
    if wanted.media is Media.YAML:
        return plain(wanted, head | {"items": [item_of(stored) for stored in found]})
    body = encode(head)[:-1] + b',"items":[' + b",".join(stored.item for stored in found) + b"]}"
    return Answer(200, body, headers=_warnings(call.warnings))


def list_head(kind: Kind, metadata: JsonObject) -> JsonObject:
    if kind.custom:
        metadata = {"continue": "", **metadata}
    return {"kind": kind.list_kind, "apiVersion": kind.resource.api_version, "metadata": metadata}


def item_of(stored: Stored) -> Json:
    if stored.kind.custom:
        return stored.object
    return {key: value for key, value in stored.object.items() if key not in ("kind", "apiVersion")}


def _not_a_list(kind: Kind) -> str:
    go_type = "unstructured.UnstructuredList" if kind.custom else f"{_go_package(kind)}.{kind.list_kind}"
    return f"you requested PartialObjectMetadata, but the requested object is a list (*{go_type})"


def _go_package(kind: Kind) -> str:
    return kind.resource.group.split(".")[0] or "core"


def _warnings(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in dict.fromkeys(texts))
    return tuple(("warning", f'299 - "{text}"') for text in quoted)
