"""Where the requests to a service come in: hosts, and paths at a shared host. HTTPRoutes in, ways out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.gateway import HTTPRoute

PROBE = "inferplane-record"
"""A header of requests by which a recorder learns that it is heard."""


@dataclass(frozen=True, slots=True)
class Way:
    """`prefix` is empty where the whole host is the service's; else its paths begin with it."""

    host: str
    prefix: str = ""

    def inner(self, path: str) -> str:
        """The path as the model server sees it."""
        inside = self.prefix and (path == self.prefix or path.startswith(self.prefix + "/"))
        return (path[len(self.prefix) :] or "/") if inside else path


def ways(by_host: Sequence[HTTPRoute], by_path: HTTPRoute | None) -> list[Way]:
    """`by_host`: routes whose hosts are the service's alone, whatever their rules say of paths."""
    found = [Way(host) for route in by_host for host in route.spec.hostnames]
    if by_path is not None:
        matches = [match.path for rule in by_path.spec.rules for match in rule.matches]
        prefixes = [one.value.rstrip("/") for one in matches if one.type == "PathPrefix"]
        found += [Way(host, prefix) for host in by_path.spec.hostnames for prefix in prefixes]
    return list(dict.fromkeys(found))


def asked(ways: Sequence[Way], config_id: str, largest: int) -> JsonObject:
    """The body for Envoy's `/tap`. Bodies past `largest` bytes are cut, and say so."""
    probe: JsonObject = {"http_request_headers_match": {"headers": [{"name": PROBE, "present_match": True}]}}
    match: JsonObject = {"or_match": {"rules": [probe, *map(_rule, ways)]}}
    sink: JsonObject = {"format": "JSON_BODY_AS_BYTES", "streaming_admin": {}}
    output: JsonObject = {"sinks": [sink], "max_buffered_rx_bytes": largest, "max_buffered_tx_bytes": largest}
    return {"config_id": config_id, "tap_config": {"match": match, "output_config": output}}


def _rule(way: Way) -> JsonObject:
    headers: list[Json] = [_header(":method", "exact", "POST"), _header(":authority", "exact", way.host)]
    if way.prefix:
        headers.append(_header(":path", "prefix", way.prefix + "/"))
    return {"http_request_headers_match": {"headers": headers}}


def _header(name: str, how: str, value: str) -> JsonObject:
    return {"name": name, "string_match": {how: value}}
