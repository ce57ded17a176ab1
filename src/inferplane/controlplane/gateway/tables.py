"""What Envoy is to have, put together from contributions: virtual hosts of routes, clusters of whoever names them.

Contributions are put in and taken out one by one; `taken` then says what is different for Envoy. So a plan costs what
changed, however much there is. Nothing here knows what a contribution is for.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

from inferplane.controlplane.gateway.attachment import Place
from inferplane.controlplane.gateway.rules import Compiled
from inferplane.controlplane.gateway.values import Cluster, VirtualHost
from inferplane.controlplane.machinery.cache import Key

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Taken(NamedTuple, Generic[K, V]):
    """What is different since the last time: values that are new or others, and what is gone."""

    changed: dict[K, V]
    gone: list[K]


class Table(Generic[K, V]):
    """Values by name, which remembers what each was when it was last asked."""

    def __init__(self) -> None:
        self.values: dict[K, V] = {}
        self._before: dict[K, V | None] = {}

    def put(self, name: K, value: V) -> None:
        self._before.setdefault(name, self.values.get(name))
        self.values[name] = value

    def drop(self, name: K) -> None:
        if name in self.values:
            self._before.setdefault(name, self.values[name])
            del self.values[name]

    def touched(self) -> list[K]:
        """Names whose values may be different, gone ones too."""
        return [*self._before]

    def taken(self) -> Taken[K, V]:
        before, self._before = self._before, {}
        found = Taken[K, V]({}, [])
        for name, old in before.items():
            now = self.values.get(name)
            if now is None:
                found.gone.extend([name] if old is not None else [])
            elif old is None or now != old:
                found.changed[name] = now
            else:
                self.values[name] = old
        return found


class Clusters(Table[str, Cluster]):
    """Clusters, each there as long as somebody names it."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[str] = Counter()
        self._of: dict[Key, tuple[Cluster, ...]] = {}

    def add(self, clusters: Iterable[Cluster]) -> None:
        for one in clusters:
            self._counts[one.name] += 1
            if self._counts[one.name] == 1:
                self.put(one.name, one)
                self._of[_service(one)] = (*self.of(_service(one)), one)

    def remove(self, clusters: Iterable[Cluster]) -> None:
        for one in clusters:
            self._counts[one.name] -= 1
            if not self._counts[one.name]:
                del self._counts[one.name]
                self.drop(one.name)
                left = tuple(other for other in self.of(_service(one)) if other.name != one.name)
                self._of[_service(one)] = left
                if not left:
                    del self._of[_service(one)]

    def of(self, service: Key) -> tuple[Cluster, ...]:
        return self._of.get(service, ())


class Hosts(Table[str, VirtualHost]):
    """Virtual hosts, each with the rules of the routes that it carries."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: dict[Place, dict[Key, Compiled]] = {}
        self._kept: frozenset[Place] = frozenset()
        self._stale: dict[Place, None] = {}

    def add(self, place: Place, route: Key, rules: Compiled) -> None:
        self._parts.setdefault(place, {})[route] = rules
        self._stale[place] = None

    def remove(self, place: Place, route: Key) -> None:
        parts = self._parts[place]
        del parts[route]
        if not parts:
            del self._parts[place]
        self._stale[place] = None

    def keep(self, places: frozenset[Place]) -> None:
        """These are there without a route, too."""
        self._stale.update(dict.fromkeys(places ^ self._kept))
        self._kept = places

    def carried(self, place: Place) -> Iterable[Key]:
        """The routes whose rules it has."""
        return self._parts.get(place, {})

    def taken(self) -> Taken[str, VirtualHost]:
        stale, self._stale = self._stale, {}
        for place in stale:
            parts = self._parts.get(place)
            if parts or place in self._kept:
                self.put(place.host, _virtual_host(place, parts or {}))
            else:
                self.drop(place.host)
        return super().taken()


class Dependents(Generic[K]):
    """Who depends on what."""

    def __init__(self) -> None:
        self._on: dict[K, dict[Key, None]] = {}

    def add(self, who: Key, on: Iterable[K]) -> None:
        for one in on:
            self._on.setdefault(one, {})[who] = None

    def remove(self, who: Key, on: Iterable[K]) -> None:
        for one in on:
            found = self._on.get(one, {})
            found.pop(who, None)
            if not found:
                self._on.pop(one, None)

    def of(self, one: K) -> Iterable[Key]:
        return self._on.get(one, ())

    def __contains__(self, one: K) -> bool:
        return one in self._on


def _service(cluster: Cluster) -> Key:
    return Key(cluster.namespace, cluster.service)


def _virtual_host(place: Place, parts: Mapping[Key, Compiled]) -> VirtualHost:
    ranked = sorted((one for part in parts.values() for one in part.routes), key=lambda one: one.rank)
    return VirtualHost(place.host, place.domain, tuple(one.route for one in ranked))
