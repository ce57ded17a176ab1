"""What Envoy is to have, put together from contributions: virtual hosts of routes, clusters of whoever names them.

Contributions are put in and taken out one by one; `taken` then says what is different for Envoy. So a plan costs what
changed, however much there is. Nothing here knows what a contribution is for.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Collection, Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

from inferplane.controlplane.gateway.attachment import Place
from inferplane.controlplane.gateway.rules import Compiled, Rank, RankedRoute
from inferplane.controlplane.gateway.values import Cluster, VirtualHost
from inferplane.controlplane.machinery.cache import Key

MANY = 64
"""Routes that share a virtual host from which on they are kept in order: all services are at `localhost`, by path."""

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
        self._in_order: dict[Place, list[RankedRoute]] = {}
        self._kept: frozenset[Place] = frozenset()
        self._stale: dict[Place, None] = {}

    def add(self, place: Place, route: Key, rules: Compiled) -> None:
        self._parts.setdefault(place, {})[route] = rules
        self._stale[place] = None
        if (row := self._in_order.get(place)) is not None:
            for one in rules.routes:
                insort(row, one, key=_rank)

    def remove(self, place: Place, route: Key) -> None:
        parts = self._parts[place]
        rules = parts.pop(route)
        self._stale[place] = None
        if (row := self._in_order.get(place)) is not None:
            for one in rules.routes:
                del row[_index(row, one)]
        if not parts:
            del self._parts[place]
            self._in_order.pop(place, None)

    def keep(self, places: frozenset[Place]) -> None:
        """These are there without a route, too."""
        self._stale.update(dict.fromkeys(places ^ self._kept))
        self._kept = places

    def carried(self, place: Place) -> Collection[Key]:
        """The routes whose rules it has."""
        return self._parts.get(place, {})

    def taken(self) -> Taken[str, VirtualHost]:
        stale, self._stale = self._stale, {}
        for place in stale:
            if place in self._parts or place in self._kept:
                routes = tuple(one.route for one in self._ranked(place))
                self.put(place.host, VirtualHost(place.host, place.domain, routes))
            else:
                self.drop(place.host)
        return super().taken()

    def _ranked(self, place: Place) -> list[RankedRoute]:
        if (row := self._in_order.get(place)) is not None:
            return row
        parts = self._parts.get(place, {})
        row = sorted((one for part in parts.values() for one in part.routes), key=_rank)
        if len(parts) >= MANY:
            self._in_order[place] = row
        return row


def _rank(one: RankedRoute) -> Rank:
    return one.rank


def _index(row: list[RankedRoute], wanted: RankedRoute) -> int:
    index = bisect_left(row, wanted.rank, key=_rank)
    while row[index] is not wanted:
        index += 1
    return index


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

    def of(self, one: K) -> Collection[Key]:
        return self._on.get(one, ())

    def __contains__(self, one: K) -> bool:
        return one in self._on


def _service(cluster: Cluster) -> Key:
    return Key(cluster.namespace, cluster.service)
