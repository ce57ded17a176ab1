"""What Envoy has: the configuration that it dumps on its admin socket, as names.

routes, clusters = names(config_dump(home / "run" / "envoy-admin.sock"))
"""

import http.client
import json
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Names:
    """`hosts`: domains of virtual hosts; `clusters`: names of clusters that came over xDS."""

    hosts: frozenset[str]
    clusters: frozenset[str]


class _Admin(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("envoy", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(str(self._path))


def config_dump(admin: Path) -> object:
    """Raises OSError or HTTPException when Envoy does not answer."""
    connection = _Admin(admin)
    try:
        connection.request("GET", "/config_dump")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def names(dump: object) -> Names:
    hosts = (word for host in _all(dump, "virtual_hosts") for word in _all(host, "domains"))
    active = (_all(one, "cluster") for one in _all(dump, "dynamic_active_clusters"))
    clusters = (_text(cluster, "name") for found in active for cluster in found)
    return Names(frozenset(word for word in hosts if isinstance(word, str)), frozenset(clusters))


def _all(value: object, key: str) -> Iterator[object]:
    """Each value (each item, where it is a list) of `key`, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _items(inner) if name == key else _all(inner, key)
    elif isinstance(value, list):
        for one in value:
            yield from _all(one, key)


def _items(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else [value]


def _text(value: object, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
