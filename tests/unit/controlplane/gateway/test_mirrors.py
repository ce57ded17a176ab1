"""RequestMirror filters in; where Envoy sends copies of requests out."""

import pytest
from tests.unit.controlplane.gateway.test_plan import planned, problem, route, rule, service

from inferplane.controlplane.gateway.bootstrap import BootstrapOptions, bootstrap
from inferplane.controlplane.gateway.plan import Snapshot, wording
from inferplane.controlplane.gateway.translate import listener, virtual_host
from inferplane.controlplane.gateway.values import AGAIN, Forward, Listener, Mirror
from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.json import Json, JsonObject, list_at
from inferplane.resources.gateway import MIRROR_HOST, HTTPRoute

SERVICES = (service("s"), service("shadow"))


def mirrored(*mirrors: JsonObject, host: str = "") -> Snapshot:
    filters: list[Json] = [{"type": "RequestMirror", "requestMirror": one} for one in mirrors]
    one = route(rule("s", filters=filters))
    if host:
        one.metadata.annotations[MIRROR_HOST] = host
    return planned(one, services=SERVICES)


def to(name: str, **share: Json) -> JsonObject:
    return {"backendRef": {"name": name, "port": 80}, **share}


def mirrors_of(snapshot: Snapshot) -> tuple[Mirror, ...]:
    [only] = snapshot.hosts["http-80/a.b"].routes
    assert isinstance(only.action, Forward)
    return only.action.mirrors


@pytest.mark.parametrize(
    ("share", "numerator", "denominator"),
    [({}, 100, 100), ({"percent": 20}, 20, 100), ({"fraction": {"numerator": 5, "denominator": 1000}}, 5, 1000)],
)
def test_a_share_of_the_requests_goes_to_another_service_too(
    share: JsonObject, numerator: int, denominator: int
) -> None:
    found = mirrored(to("shadow", **share))
    assert mirrors_of(found) == (Mirror("default/shadow:80", numerator, denominator),)
    assert "default/shadow:80" in found.clusters
    assert "default/shadow:80" in found.hosts["http-80/a.b"].clusters


def test_a_mirror_without_replicas_does_not_make_a_route_wait() -> None:
    assert mirrored(to("shadow")).routes[Key("default", "r")].live == ("default/s:80",)


def test_there_may_be_several_mirrors() -> None:
    assert [one.cluster for one in mirrors_of(mirrored(to("shadow"), to("s")))] == ["default/shadow:80", "default/s:80"]


def test_a_mirror_to_nowhere_is_said_and_the_route_serves() -> None:
    found = mirrored(to("nobody"))
    unresolved = found.routes[Key("default", "r")].unresolved
    assert mirrors_of(found) == ()
    assert unresolved is not None
    assert unresolved.message == ("spec.rules[0].filters.requestMirror.backendRef: no Service default/nobody")


def test_percent_and_fraction_exclude_each_other() -> None:
    both = to("shadow", percent=1, fraction={"numerator": 1})
    assert problem(mirrored(both)) == "UnsupportedValue"


def test_a_backend_has_no_mirrors() -> None:
    filters: list[Json] = [{"type": "RequestMirror", "requestMirror": to("shadow")}]
    one = route({"backendRefs": [{"name": "s", "port": 80, "filters": filters}]})
    assert problem(planned(one, services=SERVICES)) == "UnsupportedValue"


def test_with_a_host_mirrored_requests_come_in_again() -> None:
    found = mirrored(to("nobody", percent=20), host="iris-shadow.localhost")
    assert mirrors_of(found) == (Mirror(AGAIN, 20, 100, "iris-shadow.localhost"),)
    assert found.routes[Key("default", "r")].unresolved is None
    assert AGAIN not in found.hosts["http-80/a.b"].clusters


def test_envoy_is_told_the_share_in_millionths_and_the_host() -> None:
    found = mirrored(to("shadow", percent=20), to("shadow", fraction={"numerator": 1, "denominator": 3}))
    first, second = virtual_host(found.hosts["http-80/a.b"]).routes[0].route.request_mirror_policies
    assert first.cluster == "default/shadow:80"
    assert [one.runtime_fraction.default_value.numerator for one in (first, second)] == [200_000, 333_333]
    assert (first.disable_shadow_host_suffix_append, first.host_rewrite_literal) == (True, "")
    again = virtual_host(mirrored(to("shadow"), host="x.localhost").hosts["http-80/a.b"]).routes[0].route
    assert again.request_mirror_policies[0].host_rewrite_literal == "x.localhost"


def test_the_way_back_in_is_envoys_alone() -> None:
    document = bootstrap(BootstrapOptions(xds="/x", admin="/a", routes="http-8080"))
    [way] = [one for one in list_at(document, "static_resources", "listeners") if isinstance(one, dict)]
    assert (way["name"], "internal_listener" in way, "address" in way) == (AGAIN, True, False)
    names = [one["name"] for one in list_at(document, "static_resources", "clusters") if isinstance(one, dict)]
    assert names == ["xds", AGAIN]


def test_what_comes_to_a_gateway_can_be_recorded_and_what_goes_between_processes_cannot() -> None:
    def filters(value: Listener) -> bool:
        return b"envoy.filters.http.tap" in listener(value).SerializeToString(deterministic=True)

    host = mirrored().hosts["http-80/a.b"]
    assert filters(Listener("http-80", 80, ("127.0.0.1",)))
    assert not filters(Listener("service-x", 80, ("127.0.0.9",), only=host))


def test_another_host_for_mirrors_is_another_plan() -> None:
    one: HTTPRoute = route(rule("s"))
    before = wording(one)
    one.metadata.annotations[MIRROR_HOST] = "x.localhost"
    assert wording(one) != before
