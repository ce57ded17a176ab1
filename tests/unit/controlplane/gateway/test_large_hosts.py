"""A virtual host that very many services share is the same as any other; only what changed is made anew."""

import random

import pytest
from envoy.config.route.v3 import route_components_pb2

from inferplane.controlplane.gateway import tables, translate
from inferplane.controlplane.gateway.attachment import place
from inferplane.controlplane.gateway.rules import Compiled, RankedRoute
from inferplane.controlplane.gateway.tables import MANY, Hosts
from inferplane.controlplane.gateway.values import Forward, HeaderEdits, Match, Route, Target, VirtualHost
from inferplane.controlplane.gateway.xds import Resources
from inferplane.controlplane.machinery.cache import Key

PLACE = place(8080, "localhost")


def route(number: int, cluster: str = "shared") -> Route:
    edits = HeaderEdits(set=(("Knative-Serving-Revision", f"r{number}"),))
    return Route(Match(f"/serving/default/s{number}"), Forward((Target(cluster, 1, edits),)))


def host(*routes: Route) -> VirtualHost:
    return VirtualHost(PLACE.host, PLACE.domain, routes)


def message(resources: Resources, value: VirtualHost) -> route_components_pb2.VirtualHost:
    [resource] = resources.of(value)
    return route_components_pb2.VirtualHost.FromString(resource.message.resource.value)


def test_a_large_host_means_what_its_routes_mean() -> None:
    value, resources = host(*(route(number) for number in range(MANY + 1))), Resources()
    assert message(resources, value) == translate.virtual_host(value)


def test_of_a_large_host_a_changed_route_is_another_and_all_others_stay() -> None:
    routes, resources = [route(number) for number in range(MANY * 2)], Resources()
    [before] = resources.of(host(*routes))
    routes[3] = route(3, "own")
    [after] = resources.of(host(*routes))
    assert before.version != after.version
    assert [sorted(one.needs) for one in (before, after)] == [["shared"], ["own", "shared"]]
    assert message(resources, host(*routes)) == translate.virtual_host(host(*routes))


def test_the_version_of_a_large_host_depends_on_its_content_alone() -> None:
    [one] = Resources().of(host(*(route(number) for number in range(MANY * 2))))
    other = Resources()
    other.of(host(*(route(number) for number in range(MANY * 3))))
    [again] = other.of(host(*(route(number) for number in range(MANY * 2))))
    assert one.version == again.version


def test_a_host_that_shrinks_and_goes_leaves_nothing_behind() -> None:
    resources = Resources()
    resources.of(host(*(route(number) for number in range(MANY * 2))))
    assert message(resources, host(route(1))) == translate.virtual_host(host(route(1)))
    resources.forget(PLACE.host)
    assert not resources._parts


@pytest.mark.parametrize("seed", range(5))
def test_routes_stand_in_order_however_they_came_and_went(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MANY", 4)
    dice, hosts, there = random.Random(seed), Hosts(), dict[Key, Compiled]()
    for step in range(200):
        key = Key("default", f"s{dice.randrange(30)}")
        if key in there:
            hosts.remove(PLACE, key)
            del there[key]
        else:
            ranks = [(dice.randrange(3), 0, False, 0, 0, "", key.name, number, 0) for number in range(2)]
            there[key] = Compiled(tuple(RankedRoute(rank, route(step)) for rank in ranks))
            hosts.add(PLACE, key, there[key])
        hosts.taken()
        ranked = sorted((one for rules in there.values() for one in rules.routes), key=lambda one: one.rank)
        found = hosts.values.get(PLACE.host)
        assert (found.routes if found else ()) == tuple(one.route for one in ranked)
