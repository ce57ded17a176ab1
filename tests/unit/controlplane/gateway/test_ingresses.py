"""Ingresses in, virtual hosts out."""

import msgspec
from tests.unit.controlplane.gateway.test_plan import CLASS, gateway, plan, service

from inferplane.controlplane.gateway.ingresses import as_routes, ingress_of, status
from inferplane.controlplane.gateway.plan import Planner, Snapshot, World
from inferplane.controlplane.gateway.values import Forward
from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.core import Service
from inferplane.resources.networking import Ingress


def path(kind: str, value: str, port: JsonObject | None = None, name: str = "s") -> JsonObject:
    backend: JsonObject = {"service": {"name": name, "port": port or {"number": 80}}}
    return {"path": value, "pathType": kind, "backend": backend}


def rule(host: str, *paths: JsonObject) -> JsonObject:
    return {"host": host, "http": {"paths": [*paths]}}


def planned(*rules: Json, **spec: Json) -> Snapshot:
    body: JsonObject = {"metadata": {"name": "mine", "namespace": "default"}, "spec": {"rules": [*rules], **spec}}
    routes = as_routes(msgspec.convert(body, Ingress), [Key("infra", "gw")], find)
    return plan(Planner(), World([CLASS], (gateway(),), routes, find))


def find(_: str, name: str) -> Service | None:
    return service(name) if name == "s" else None


def served(found: Snapshot) -> dict[str, list[tuple[str, str, str]]]:
    """Host → (kind, path, cluster) in the order in which they are tried."""
    return {
        name.partition("/")[2]: [
            (one.match.kind, one.match.path, one.action.targets[0].cluster)
            for one in host.routes
            if isinstance(one.action, Forward)
        ]
        for name, host in found.hosts.items()
        if host.routes
    }


def test_hosts_and_paths_lead_to_services_the_exact_and_the_longer_first() -> None:
    paths = path("Prefix", "/"), path("Prefix", "/a"), path("Exact", "/a"), path("ImplementationSpecific", "/b")
    found = planned(rule("a.b", *paths), rule("*.c.d", path("Prefix", "/")), rule("a.b", path("Prefix", "/late")))
    to = "default/s:80"
    assert served(found) == {
        "a.b": [
            ("Exact", "/a", to),
            ("PathPrefix", "/late", to),
            ("PathPrefix", "/a", to),
            ("PathPrefix", "/b", to),
            ("PathPrefix", "/", to),
        ],
        "*.c.d": [("PathPrefix", "/", to)],
    }


def test_ports_may_be_named_and_what_no_rule_takes_goes_to_the_default() -> None:
    found = planned(rule("a.b", path("Prefix", "/", {"name": "other"})), defaultBackend=path("Prefix", "/")["backend"])
    assert served(found) == {
        "a.b": [("PathPrefix", "/", "default/s:81")],
        "*": [("PathPrefix", "/", "default/s:80")],
    }


def test_a_service_that_there_is_not_is_unresolved() -> None:
    found = planned(rule("a.b", path("Prefix", "/", name="nobody")))
    [verdict] = found.routes.values()
    assert verdict.unresolved is not None


def test_routes_know_their_ingress() -> None:
    [route] = planned(rule("a.b", path("Prefix", "/"))).routes
    assert ingress_of(route) == Key("default", "mine")
    assert ingress_of(Key("default", "mine")) is None


def test_the_status_names_address_and_ports_once_served() -> None:
    assert msgspec.to_builtins(status(False, ["127.0.0.1"], [80])) == {}
    ports: list[Json] = [{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}]
    assert msgspec.to_builtins(status(True, ["127.0.0.1"], [81, 80, 80])) == {
        "loadBalancer": {"ingress": [{"ip": "127.0.0.1", "ports": ports}]}
    }
