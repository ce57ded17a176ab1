"""Routes: what the gateway is told, a rollout over time, and the marks on what is routed."""

import pytest
from tests.fakes.api import Write
from tests.reconcile.knative.world import FIRST, LATEST, NAME, SECOND, World, knative, service

from inferplane.client.kubernetes.api import ApiError
from inferplane.client.kubernetes.kinds import (
    DEPLOYMENT,
    HTTP_ROUTE,
    KNATIVE_CONFIGURATION,
    KNATIVE_REVISION,
    KNATIVE_ROUTE,
    KNATIVE_SERVICE,
    POD_AUTOSCALER,
    SERVICE,
)
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

HOST = "hello.default.localhost"


def rule(world: World, name: str = HOST) -> JsonObject:
    (found,) = list_at(world.peek(HTTP_ROUTE, name), "spec", "rules")
    assert isinstance(found, dict)
    return found


def bare(name: str, **target: Json) -> JsonObject:
    return {"metadata": {"name": name}, "spec": {"traffic": [{"percent": 100, **target}]}}


async def test_a_backend_is_the_revisions_service_with_the_headers_by_which_it_is_known() -> None:
    async with knative() as world:
        await world.applied(service())
        await world.serves()
        known: list[Json] = [
            {"name": "Knative-Serving-Revision", "value": FIRST},
            {"name": "Knative-Serving-Namespace", "value": "default"},
        ]
        assert rule(world)["backendRefs"] == [
            {
                "group": "",
                "kind": "Service",
                "name": FIRST,
                "namespace": "default",
                "port": 80,
                "weight": 100,
                "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": known}}],
            }
        ]
        spec = world.spec(HTTP_ROUTE, HOST)
        assert spec["hostnames"] == [HOST, "hello.default", "hello.default.svc", "hello.default.svc.cluster.local"]
        assert spec["parentRefs"] == [
            {
                "group": "gateway.networking.k8s.io",
                "kind": "Gateway",
                "namespace": "kserve",
                "name": "kserve-ingress-gateway",
            }
        ]


async def test_the_limits_of_a_revision_are_the_gateways() -> None:
    async with knative() as world:
        pod: dict[str, Json] = {"timeoutSeconds": 60, "responseStartTimeoutSeconds": 20, "idleTimeoutSeconds": 5}
        port: list[Json] = [{"containerPort": 8080, "name": "h2c"}]
        containers: list[Json] = [{"image": "app", "ports": port}]
        body = service()
        object_at(body, "spec", "template")["spec"] = {"containers": containers, **pod}
        await world.applied(body)
        await world.serves()
        assert rule(world)["timeouts"] == {"request": "60s", "backendRequest": "20s"}
        annotations = object_at(world.peek(HTTP_ROUTE, HOST), "metadata", "annotations")
        assert annotations["inferplane.dev/idle-timeout"] == "5s"
        (backend,) = list_at(rule(world), "backendRefs")
        assert isinstance(backend, dict)
        assert backend["port"] == 81


async def test_what_the_gateway_refuses_stands_in_the_conditions() -> None:
    async with knative() as world:
        await world.applied(service())
        await world.serves()
        conditions: list[Json] = [
            {"type": "Accepted", "status": "False", "reason": "NotAllowedByListeners", "observedGeneration": 1}
        ]
        parent: JsonObject = {"parentRef": {"name": "g"}, "controllerName": "c", "conditions": conditions}
        await world.says(HTTP_ROUTE, HOST, {"parents": [parent]})
        assert world.condition("IngressReady", KNATIVE_ROUTE) == "False NotAllowedByListeners"
        assert world.condition("Ready") == "False NotAllowedByListeners"


async def test_a_route_of_that_name_by_somebody_else_is_left_alone() -> None:
    async with knative() as world:
        await world.add(HTTP_ROUTE, {"metadata": {"name": HOST}, "spec": {}})
        await world.applied(service())
        await world.is_ready()
        assert world.condition("IngressReady", KNATIVE_ROUTE) == "False NotOwned"
        assert world.spec(HTTP_ROUTE, HOST) == {}


async def test_local_hosts_have_a_gateway_of_their_own_where_there_is_one() -> None:
    async with knative() as world:
        await world.configured(
            "config-gateway", external_gateways="- gateway: kserve/out\n", local_gateways="- gateway: kserve/in\n"
        )
        await world.applied(service())
        await world.serves()
        local = "hello.default.svc.cluster.local"
        assert world.hosts() == {HOST: {FIRST: 100}, local: {FIRST: 100}}
        parents = list_at(world.spec(HTTP_ROUTE, local), "parentRefs")
        assert [text_at(one, "name") for one in parents if isinstance(one, dict)] == ["in"]


async def test_a_name_inside_of_the_cluster_is_a_service_that_leads_by_the_route() -> None:
    async with knative() as world:
        await world.applied(service("app:1", LATEST | {"tag": "new"}))
        assert world.hosts() == {}
        found = {name: world.peek(SERVICE, name) for name in (NAME, f"new-{NAME}")}
        assert {
            name: object_at(one, "metadata", "annotations")["inferplane.dev/local-route"] for name, one in found.items()
        } == {NAME: HOST, f"new-{NAME}": f"new-{HOST}"}
        assert object_at(found[NAME], "spec")["clusterIP"] == "None"

        await world.applied(service("app:1", LATEST))
        assert not world.exists(SERVICE, f"new-{NAME}")
        await world.configured("config-gateway", local_gateways="- gateway: kserve/in\n  service: ns/inside\n")
        assert world.spec(SERVICE, NAME)["externalName"] == "inside.ns.svc.cluster.local"


async def test_a_service_of_that_name_by_somebody_else_stays_until_it_goes() -> None:
    async with knative() as world:
        await world.add(SERVICE, {"metadata": {"name": NAME}, "spec": {"selector": {"app": "other"}}})
        await world.applied(service())
        await world.serves()
        assert world.condition("Ready") == "True"
        assert "selector" in world.spec(SERVICE, NAME)
        await world.api.delete(SERVICE, NAME, "default")
        await world.rests()
        assert "selector" not in world.spec(SERVICE, NAME)


async def test_a_rollout_moves_requests_step_by_step() -> None:
    async with knative() as world:
        annotations: JsonObject = {"serving.knative.dev/rollout-duration": "10s"}
        meta: JsonObject = {"metadata": {"name": NAME, "annotations": annotations}}
        await world.applied(service() | meta)
        await world.serves()
        await world.applied(service("app:2") | meta)
        await world.is_ready(SECOND)
        assert world.hosts() == {HOST: {FIRST: 99, SECOND: 1}}

        await world.passes(2)
        await world.is_served()
        assert world.condition("RoutesReady") == "Unknown RolloutInProgress"
        assert world.traffic() == [(FIRST, 99, ""), (SECOND, 1, "")]

        seen = []
        for _ in range(4):
            await world.passes(2)
            seen.append(world.hosts()[HOST])
            await world.is_served()
        assert seen == [
            {FIRST: 74, SECOND: 26}, {FIRST: 49, SECOND: 51}, {FIRST: 24, SECOND: 76}, {SECOND: 100}
        ]  # fmt: skip
        assert world.condition("Ready") == "True"
        assert world.traffic() == [(SECOND, 100, "")]
        assert world.revisions() == {FIRST: "reserve", SECOND: "active"}


async def test_a_bare_route_leads_to_a_configuration_and_marks_it() -> None:
    async with knative() as world:
        template: JsonObject = {"spec": {"containers": [{"image": "app"}]}}
        await world.applied({"metadata": {"name": NAME}, "spec": {"template": template}}, KNATIVE_CONFIGURATION)
        assert world.revisions() == {FIRST: "pending"}
        await world.applied(bare("way", configurationName=NAME, latestRevision=True), KNATIVE_ROUTE)
        assert world.condition("AllTrafficAssigned", KNATIVE_ROUTE, "way") == "Unknown RevisionMissing"
        assert world.revisions() == {FIRST: "active"}
        await world.serves()
        assert world.condition("Ready", KNATIVE_ROUTE, "way") == "True"
        assert world.reachability(FIRST) == "Reachable"

        await world.applied(bare("other", revisionName=FIRST), KNATIVE_ROUTE)
        await world.is_served()
        marks = object_at(world.peek(KNATIVE_REVISION, FIRST), "metadata", "annotations")
        assert marks["serving.knative.dev/routes"] == "other,way"

        for name in ("way", "other"):
            await world.api.delete(KNATIVE_ROUTE, name, "default")
            await world.rests()
        assert world.revisions() == {FIRST: "reserve"}
        configuration = object_at(world.peek(KNATIVE_CONFIGURATION, NAME), "metadata")
        assert "serving.knative.dev/routes" not in object_at(configuration, "annotations")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"configurationName": "nobody"}, "False ConfigurationMissing"),
        ({"revisionName": "nobody"}, "False RevisionMissing"),
    ],
)
async def test_a_bare_route_to_nobody_says_so(target: dict[str, Json], reason: str) -> None:
    async with knative() as world:
        await world.applied(bare("way", **target), KNATIVE_ROUTE)
        assert world.condition("AllTrafficAssigned", KNATIVE_ROUTE, "way") == reason
        assert world.hosts() == {}


async def test_old_revisions_are_collected_as_the_configuration_says() -> None:
    async with knative() as world:
        await world.configured(
            "config-gc", min_non_active_revisions="0", max_non_active_revisions="1", retain_since_create_time="disabled"
        )
        for number in range(1, 5):
            await world.applied(service(f"app:{number}"))
            await world.serves(f"hello-{number:05d}")
            await world.passes(1)
        assert world.revisions() == {"hello-00003": "reserve", "hello-00004": "active"}


async def test_a_new_rendering_changes_the_deployment_and_leaves_its_replicas() -> None:
    async with knative() as world:
        await world.applied(service())
        deployment = f"{FIRST}-deployment"
        await world.api.patch(DEPLOYMENT, deployment, {"spec": {"replicas": 7}}, "default")
        await world.configured("config-deployment", progress_deadline="42s")
        spec = world.spec(DEPLOYMENT, deployment)
        assert (spec["replicas"], spec["progressDeadlineSeconds"]) == (7, 42)
        world.new_changes()
        await world.add(KNATIVE_REVISION, world.peek(KNATIVE_REVISION, FIRST))
        assert world.new_changes() == []


async def test_a_deployment_or_autoscaler_of_somebody_else_is_left_alone() -> None:
    for resource, name in ((DEPLOYMENT, f"{FIRST}-deployment"), (POD_AUTOSCALER, FIRST)):
        async with knative() as world:
            target: JsonObject = {"scaleTargetRef": {"name": "x"}, "protocolType": "http1"}
            await world.add(
                resource, {"metadata": {"name": name}, "spec": target if resource == POD_AUTOSCALER else {}}
            )
            await world.applied(service())
            assert world.condition("ResourcesAvailable", KNATIVE_REVISION, FIRST) == "False NotOwned"
            assert world.condition("Ready") == "False RevisionFailed"


async def test_what_a_wake_up_changes_to_be_looked_at_is_written_once_and_afterwards() -> None:
    async with knative() as world:
        await world.applied(service())
        await world.serves()
        await world.scaled(FIRST, "False", "NoTraffic", scale=0)
        await world.passes(1)
        assert world.condition("Active", KNATIVE_REVISION, FIRST) == "False NoTraffic"
        world.new_changes()

        await world.scaled(FIRST, "Unknown", "Queued", scale=0)
        await world.scaled(FIRST, "True", scale=1)
        assert world.new_changes() == []
        await world.passes(0.5)
        assert world.new_changes() == [f"apply Revision {FIRST}"]
        status = world.status(KNATIVE_REVISION, FIRST)
        assert (status["actualReplicas"], world.condition("Active", KNATIVE_REVISION, FIRST)) == (1, "True")


async def test_a_deployment_that_the_server_refuses_is_said_and_tried_again() -> None:
    async with knative() as world:

        def refuse(write: Write) -> None:
            if write.resource == DEPLOYMENT:
                raise ApiError(403, "Forbidden", "exceeded quota: pods")

        world.api.intercept = refuse
        await world.applied(service())
        assert world.condition("ResourcesAvailable", KNATIVE_REVISION, FIRST) == "False FailedCreate"
        assert "exceeded quota" in world.message("Ready")

        world.api.intercept = lambda _: None
        await world.passes(30)
        assert world.exists(DEPLOYMENT, f"{FIRST}-deployment")
        assert world.condition("ResourcesAvailable", KNATIVE_REVISION, FIRST) == "Unknown Deploying"


async def test_a_container_that_exits_at_once_fails_its_revision_with_the_code_and_the_last_words() -> None:
    async with knative() as world:
        await world.applied(service())
        ended: JsonObject = {"terminated": {"exitCode": 3, "message": "no such model"}}
        status: JsonObject = {"name": "user-container", "lastState": ended, "state": {"waiting": {}}}
        await world.has_pod(FIRST, {"containerStatuses": [status]})
        assert world.condition("ContainerHealthy", KNATIVE_REVISION, FIRST) == "False ExitCode3"
        assert world.condition("Ready") == "False RevisionFailed"
        assert "no such model" in world.message("ConfigurationsReady")
        assert world.reachability(FIRST) == "Unreachable"


async def test_nothing_is_made_of_a_service_that_is_going() -> None:
    async with knative() as world:
        meta: JsonObject = {"name": NAME, "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["wait"]}
        await world.add(KNATIVE_SERVICE, service() | {"metadata": meta})
        assert not world.exists(KNATIVE_CONFIGURATION, NAME)


async def test_traffic_back_on_an_old_revision_waits_for_nothing() -> None:
    async with knative() as world:
        await world.applied(service())
        await world.serves()
        await world.applied(service("app:2"))
        await world.serves(SECOND)
        await world.scaled(FIRST, "False", "NoTraffic", scale=0)
        await world.applied(service("app:2", {"revisionName": FIRST, "percent": 100}))
        assert world.hosts() == {HOST: {FIRST: 100}}
        await world.is_served()
        assert world.reachability(FIRST) == "Reachable"
        await world.applied(service("app:2", LATEST))
        assert world.hosts() == {HOST: {SECOND: 100}}
