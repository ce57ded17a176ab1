"""A plan that is brought up to date is the one that would be made anew, and costs what changed."""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import msgspec

from inferplane.controlplane.gateway.plan import Change, News, Planner, Snapshot, World
from inferplane.controlplane.gateway.tables import Taken
from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.json import JsonObject
from inferplane.resources.activator import BACKEND, SHARED_BACKEND
from inferplane.resources.core import Service
from inferplane.resources.gateway import Gateway, GatewayClass, HTTPRoute
from inferplane.resources.local_services import LOCAL_ADDRESS, LOCAL_ROUTE

T = TypeVar("T")

CLASS = msgspec.convert(
    {"metadata": {"name": "ours"}, "spec": {"controllerName": "inferplane.dev/gateway"}}, GatewayClass
)
LISTENER: JsonObject = {
    "name": "http",
    "protocol": "HTTP",
    "port": 80,
    "allowedRoutes": {"namespaces": {"from": "All"}},
}
GATEWAY = msgspec.convert(
    {"metadata": {"name": "gw", "namespace": "infra"}, "spec": {"gatewayClassName": "ours", "listeners": [LISTENER]}},
    Gateway,
)


def service(name: str, *, asleep: bool = False, shared: bool = False, address: str = "", route: str = "") -> Service:
    notes = {BACKEND: "default/activator:80"} if asleep else {}
    notes |= {LOCAL_ADDRESS: address} if address else {}
    notes |= {LOCAL_ROUTE: route} if route else {}
    labels = {SHARED_BACKEND: "true"} if shared else {}
    meta: JsonObject = {"name": name, "namespace": "default", "annotations": {**notes}, "labels": {**labels}}
    return msgspec.convert({"metadata": meta, "spec": {"ports": [{"name": "http", "port": 80}]}}, Service)


def route(name: str, *backends: str, hosts: tuple[str, ...] = (), parent: str = "gw", bad: bool = False) -> HTTPRoute:
    matches: JsonObject = {"path": {"type": "RegularExpression", "value": "("}} if bad else {}
    rule: JsonObject = {"backendRefs": [{"name": one, "port": 80} for one in backends], "matches": [matches]}
    spec: JsonObject = {
        "parentRefs": [{"name": parent, "namespace": "infra"}],
        "hostnames": list(hosts or (f"{name}.x",)),
        "rules": [rule],
    }
    return msgspec.convert({"metadata": {"name": name, "namespace": "default", "uid": name}, "spec": spec}, HTTPRoute)


class There:
    """What there is; counts how often somebody looked up a Service."""

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}
        self.routes: dict[str, HTTPRoute] = {}
        self.lookups = 0

    def find(self, _: str, name: str) -> Service | None:
        self.lookups += 1
        return self.services.get(name)

    def world(self) -> World:
        local = [one for one in self.services.values() if LOCAL_ADDRESS in one.metadata.annotations]
        return World([CLASS], [GATEWAY], [*self.routes.values()], self.find, {}, local)

    def news(self, routes: tuple[str, ...] = (), services: tuple[str, ...] = ()) -> News:
        named = {Key("default", one): self.routes.get(one) for one in routes}
        return News(named, [Key("default", one) for one in services], self.find)


def copied(snapshot: Snapshot) -> Snapshot:
    """As it is now."""
    found = {name: dict(getattr(snapshot, name)) for name in Snapshot.__slots__}
    return replace(snapshot, **found)


def anew(there: There) -> Snapshot:
    planner = Planner()
    planner.plan(there.world())
    return planner.now


def told(before: Snapshot, change: Change) -> Snapshot:
    """What an Envoy has that had `before` and hears of changes alone."""
    return replace(
        before,
        listeners=_told(before.listeners, change.listeners),
        hosts=_told(before.hosts, change.hosts),
        clusters=_told(before.clusters, change.clusters),
    )


def _told(before: Mapping[str, T], taken: Taken[str, T]) -> dict[str, T]:
    assert {*taken.gone} <= before.keys()
    return {name: one for name, one in ({**before} | taken.changed).items() if name not in taken.gone}


def step(there: There, dice: random.Random) -> News:
    """A change at random, and the news of it."""
    number = dice.randrange(6)
    if dice.random() < 0.5:
        name = f"s{number}"
        made = service(
            name,
            asleep=dice.random() < 0.5,
            address=f"127.9.0.{number + 1}" if dice.random() < 0.3 else "",
            route=f"r{dice.randrange(6)}" if dice.random() < 0.2 else "",
        )
        _set(there.services, name, made if dice.random() < 0.8 else None)
        return there.news(services=(name,))
    if dice.random() < 0.1:
        _set(there.services, "activator", None if "activator" in there.services else service("activator", shared=True))
        return there.news(services=("activator",))
    name = f"r{number}"
    backends = tuple(f"s{dice.randrange(6)}" for _ in range(dice.randrange(1, 3)))
    hosts = (f"{name}.x", "shared.x")[: dice.randrange(1, 3)]
    parent = "gw" if dice.random() < 0.9 else "other"
    made_route = route(name, *backends, hosts=hosts, parent=parent, bad=dice.random() < 0.1)
    _set(there.routes, name, made_route if dice.random() < 0.8 else None)
    return there.news(routes=(name,))


def _set(where: dict[str, T], name: str, value: T | None) -> None:
    where.pop(name, None)
    if value is not None:
        where[name] = value


def test_a_plan_brought_up_to_date_is_the_one_made_anew() -> None:
    for seed in range(20):
        dice, there, planner = random.Random(seed), There(), Planner()
        planner.plan(there.world())
        envoy = copied(planner.now)
        for _ in range(40):
            envoy = told(envoy, planner.update(step(there, dice)))
            fresh = anew(there)
            assert copied(planner.now) == copied(fresh)
            assert (envoy.listeners, envoy.hosts, envoy.clusters) == (fresh.listeners, fresh.hosts, fresh.clusters)


def test_a_change_says_which_verdicts_are_others() -> None:
    there, planner = There(), Planner()
    there.services["s0"] = service("s0")
    there.routes = {name: route(name, "s0" if name == "r0" else "s1") for name in ("r0", "r1")}
    planner.plan(there.world())
    there.services["s1"] = service("s1")
    change = planner.update(there.news(services=("s1",)))
    assert (change.routes, change.gateways) == ([Key("default", "r1")], False)
    assert [*change.clusters.changed] == ["default/s1:80"]
    assert [*change.hosts.changed] == ["http-80/r1.x"]


def test_one_change_among_many_looks_only_at_what_depends_on_it() -> None:
    there, planner = There(), Planner()
    there.services = {f"s{number}": service(f"s{number}") for number in range(500)}
    there.routes = {f"r{number}": route(f"r{number}", f"s{number}") for number in range(500)}
    planner.plan(there.world())
    there.services["s7"], there.lookups = service("s7", asleep=True), 0
    planner.update(there.news(services=("s7",)))
    assert there.lookups < 10


def test_the_ways_to_a_service_are_its_routes_hosts_and_the_listeners_that_they_split() -> None:
    there, planner = There(), Planner()
    there.services["s0"] = service("s0", asleep=True)
    there.services["s1"] = service("s1", address="127.9.0.1", route="r0")
    there.routes = {"r0": route("r0", "s0", hosts=("a.x", "b.x")), "r1": route("r1", "s2")}
    planner.plan(there.world())
    assert planner.ways_to(Key("default", "s0")) == ({"http-80/a.x", "http-80/b.x"}, {"service-127.9.0.1:10080"})
    assert planner.ways_to(Key("default", "other")) == (set(), set())
