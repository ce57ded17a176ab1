"""Knative mode beyond KServe's own tests: Gateway API in place of Istio, paths, what stays, what is written at rest."""

from tests.reconcile.serving.knative_world import (
    EXPLAINER,
    LOCAL,
    MESH,
    NAME,
    TRANSFORMER,
    canary,
    knative,
    says,
    service,
    shipped,
    started,
    template,
)
from tests.reconcile.serving.world import World

from inferplane.client.kubernetes.kinds import (
    GATEWAY,
    HTTP_ROUTE,
    KNATIVE_SERVICE,
    SERVICE,
    VIRTUAL_SERVICE,
)
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.gateway import default_objects

BY_GATEWAY_API = {"enableGatewayApi": "true", "additionalIngressDomains": '["add.example.com", "not_a_host"]'}


def backend(revision: str, weight: int) -> JsonObject:
    headers: list[Json] = [
        {"name": "Knative-Serving-Revision", "value": revision},
        {"name": "Knative-Serving-Namespace", "value": "default"},
    ]
    return {
        "group": "",
        "kind": "Service",
        "name": revision,
        "namespace": "default",
        "port": 80,
        "weight": weight,
        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": headers}}],
    }


def rules(world: World, name: str = NAME) -> list[JsonObject]:
    return [one for one in list_at(world.peek(HTTP_ROUTE, name), "spec", "rules") if isinstance(one, dict)]


async def test_by_gateway_api_requests_go_to_the_revisions_by_their_shares() -> None:
    both: list[Json] = [
        {"revisionName": "revision-v2", "latestRevision": True, "percent": 20},
        {"revisionName": "revision-v1", "latestRevision": False, "percent": 80, "tag": "prev"},
    ]
    async with knative(config_map=shipped(**BY_GATEWAY_API)) as world:
        await world.applied(service())
        await says(world)
        (before,) = rules(world)
        hosts = object_at(world.peek(HTTP_ROUTE, NAME), "spec")["hostnames"]
        await says(world, revision="revision-v2", targets=both)
        (after,) = rules(world)
        assert not world.exists(VIRTUAL_SERVICE, NAME)
    assert hosts == ["foo.default.example.com", "foo.default.add.example.com"]
    assert before["backendRefs"] == [backend("revision-v1", 100)]
    assert after["backendRefs"] == [backend("revision-v2", 20), backend("revision-v1", 80)]


async def test_by_gateway_api_the_service_is_ready_when_the_route_is() -> None:
    async with knative(config_map=shipped(**BY_GATEWAY_API)) as world:
        for one in default_objects(8080):
            if one["kind"] == "Gateway":
                await world.add(GATEWAY, one)
        await world.applied(service())
        await says(world)
        waits = world.condition("IngressReady", NAME)["reason"]
        await world.accepted(NAME)
        status, ready = world.status(NAME), world.conditions(NAME)["Ready"]
    assert (waits, ready) == ("ParentStatusNotAvailable", "True")
    assert status["url"] == "http://foo.default.example.com:8080"
    assert status["address"] == {"url": "http://foo-predictor.default.svc.cluster.local"}


async def test_by_gateway_api_explanations_go_to_the_explainer_and_paths_are_cut() -> None:
    path = {**BY_GATEWAY_API, "pathTemplate": '"/serving/{{ .Namespace }}/{{ .Name }}"'}
    async with knative(config_map=shipped(**path)) as world:
        await world.applied(service(explainer=EXPLAINER | {"timeout": 9}))
        await says(world)
        await says(world, "explainer", revision="e-v1")
        explain, rest = rules(world)
        by_path = [object_at(one, "timeouts")["request"] for one in rules(world, "foo-path")]
    patterns = (r"^/v1/models/[\w-]+:explain$", r"^/v2/models/[\w-]+/explain$")
    assert explain["matches"] == [{"path": {"type": "RegularExpression", "value": one}} for one in patterns]
    assert (explain["backendRefs"], rest["backendRefs"]) == ([backend("e-v1", 100)], [backend("revision-v1", 100)])
    assert by_path == ["9s", "9s", "60s"]


async def test_by_gateway_api_an_internal_service_has_no_route() -> None:
    async with knative(config_map=shipped(**BY_GATEWAY_API)) as world:
        body = service()
        meta = object_at(body, "metadata") | {"labels": {"networking.knative.dev/visibility": "cluster-local"}}
        await world.applied(body | {"metadata": meta})
        await says(world)
        found = template(world)
        status, ready = world.status(NAME), world.conditions(NAME)["Ready"]
        own = object_at(world.peek(KNATIVE_SERVICE, "foo-predictor"), "metadata", "labels")
        assert not world.exists(HTTP_ROUTE, NAME)
    assert (ready, status["url"]) == ("True", "http://foo-predictor.default.svc.cluster.local")
    assert own["networking.knative.dev/visibility"] == "cluster-local"
    assert "networking.knative.dev/visibility" not in object_at(found, "metadata", "labels")


async def test_the_virtual_service_of_paths_and_explainers_is_kserves() -> None:
    path = {"pathTemplate": '"/serving/{{ .Namespace }}/{{ .Name }}"', "additionalIngressDomains": '["add.com"]'}
    async with knative(config_map=shipped(**path)) as world:
        await world.applied(service(transformer=TRANSFORMER, explainer=EXPLAINER))
        for one in ("predictor", "transformer", "explainer"):
            await says(world, one)
        spec = object_at(world.peek(VIRTUAL_SERVICE, NAME), "spec")
        url = world.status(NAME)["url"]
    http = [one for one in list_at(spec, "http") if isinstance(one, dict)]
    targets = [text_at(one, "headers", "request", "set", "Host").partition(".")[0] for one in http]
    assert spec["hosts"] == [
        "foo.default.svc.cluster.local", "foo.default.example.com", "example.com", "foo.default.add.com"
    ]  # fmt: skip
    assert targets == ["foo-explainer", "foo-transformer", "foo-explainer", "foo-transformer"]
    assert [one.get("rewrite") for one in http] == [
        None,
        None,
        {"uriRegexRewrite": {"match": r"^/serving/default/foo(/v1/models/[\w-]+:explain)$", "rewrite": r"\1"}},
        {"uri": "/"},
    ]
    assert url == "http://example.com/serving/default/foo"


async def test_an_internal_virtual_service_has_no_gateway_to_the_outside() -> None:
    async with knative() as world:
        body = service()
        meta = object_at(body, "metadata") | {"labels": {"networking.knative.dev/visibility": "cluster-local"}}
        await world.applied(body | {"metadata": meta})
        await says(world)
        spec = object_at(world.peek(VIRTUAL_SERVICE, NAME), "spec")
    assert (spec["gateways"], spec["hosts"]) == ([LOCAL, MESH], ["foo.default.svc.cluster.local"])


async def test_what_is_there_stays_while_the_predictor_is_not_ready() -> None:
    async with knative() as world:
        await world.applied(service())
        await says(world)
        await says(world, ready="False")
        assert world.exists(VIRTUAL_SERVICE, NAME)
        assert world.exists(SERVICE, NAME)


async def test_a_status_about_an_older_spec_is_not_believed() -> None:
    async with knative() as world:
        await world.applied(service())
        await says(world)
        status = object_at(world.peek(KNATIVE_SERVICE, "foo-predictor"), "status")
        await world.says(KNATIVE_SERVICE, "foo-predictor", status | {"observedGeneration": 1})
        await world.applied(canary(None))
        found = world.condition("PredictorReady", NAME)
    assert (found["status"], found["reason"]) == ("Unknown", "OutOfDate")


async def test_a_transformer_that_is_taken_out_goes() -> None:
    async with knative() as world:
        await started(world, "transformer", service(transformer=TRANSFORMER))
        await world.applied(service())
        assert not world.exists(KNATIVE_SERVICE, "foo-transformer")


async def test_at_rest_nothing_is_written() -> None:
    async with knative() as world:
        await started(world, "transformer", service(transformer=TRANSFORMER))
        before = len(world.api.changes)
        await says(world)
        assert len(world.api.changes) == before
