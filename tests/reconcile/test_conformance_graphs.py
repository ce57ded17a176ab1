"""InferenceGraphs as KServe's own controller tests have them (reference section 10.5), and what we add."""

import msgspec
import pytest
from tests.reconcile.serving import graphs
from tests.reconcile.serving.graphs import GRAPH, applied, conditions, container, graph, router_says, said, step
from tests.reconcile.serving.knative_world import knative, says, service, shipped
from tests.reconcile.serving.world import config, serving

from inferplane.client.kubernetes import kinds
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}
STOP = "serving.kserve.io/stop"
INITIAL = "autoscaling.knative.dev/initial-scale"
RESOURCES: JsonObject = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "100Mi"}}


def router_config(**router: Json) -> JsonObject:
    """KServe's ConfigMap with these fields of the key `router`."""
    found = shipped()
    text = msgspec.json.encode({"image": "kserve/router:v0.10.0", **router}).decode()
    return found | {"data": object_at(found, "data") | {"router": text}}


# Knative mode.


@pytest.mark.parametrize(
    ("zero_allowed", "asked", "found"),
    [("false", "0", None), ("true", "0", "0"), ("false", "3", "3"), ("true", "x", None), ("false", "-1", None),
     ("true", None, None)],
)  # fmt: skip
async def test_g1_to_g6_initial_scale(zero_allowed: str, asked: str | None, found: str | None) -> None:
    async with knative() as world:
        scaler: JsonObject = {"metadata": {"name": "config-autoscaler", "namespace": "knative-serving"}}
        await world.add(kinds.CONFIG_MAP, scaler | {"data": {"allow-zero-initial-scale": zero_allowed}})
        await applied(world, graph(annotations={INITIAL: asked} if asked else {}))
        assert object_at(graphs.template(world), "metadata", "annotations").get(INITIAL) == found


async def test_g7_the_knative_service_of_a_router() -> None:
    async with knative(config_map=router_config(headers={"propagate": ["Authorization", "Intuit_tid"]})) as world:
        await applied(world, graph(annotations={"serving.kserve.io/deploymentMode": "Serverless"}))
        service = world.peek(kinds.KNATIVE_SERVICE, GRAPH)
        [owner] = list_at(service, "metadata", "ownerReferences")
        assert isinstance(owner, dict)
        assert (owner["kind"], owner["name"], owner["controller"]) == ("InferenceGraph", GRAPH, True)
        assert object_at(graphs.template(world), "metadata") == {
            "labels": {"serving.kserve.io/inferencegraph": GRAPH, "serving.kserve.io/kind": "InferenceGraph"},
            "annotations": {
                "serving.kserve.io/deploymentMode": "Serverless",
                "autoscaling.knative.dev/class": "kpa.autoscaling.knative.dev",
                "autoscaling.knative.dev/min-scale": "1",
            },
        }
        found = container(world)
        [flag, text] = list_at(found, "args")
        assert (flag, "name" in found) == ("--graph-json", False)
        assert msgspec.json.decode(str(text)) == {
            "nodes": {
                "root": {"routerType": "Sequence", "steps": [{"serviceUrl": "http://model.example.com/predict"}]}
            },
            "resources": {},
        }
        assert {key: value for key, value in found.items() if key != "args"} == {
            "image": "kserve/router:v0.10.0",
            "imagePullPolicy": "IfNotPresent",
            "env": [{"name": "PROPAGATE_HEADERS", "value": "Authorization,Intuit_tid"}],
            "resources": RESOURCES,
            "readinessProbe": {
                "httpGet": {"path": "/readyz", "port": 8080, "scheme": "HTTP"},
                "initialDelaySeconds": 5,
                "timeoutSeconds": 2,
                "periodSeconds": 5,
                "successThreshold": 1,
                "failureThreshold": 3,
            },
            "securityContext": {
                "privileged": False,
                "runAsNonRoot": True,
                "readOnlyRootFilesystem": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
        assert object_at(graphs.template(world), "spec")["automountServiceAccountToken"] is False


async def test_g8_resources_of_the_graph_come_before_those_of_the_configuration() -> None:
    own: JsonObject = {"limits": {"cpu": "100m", "memory": "500Mi"}, "requests": {"cpu": "100m", "memory": "100Mi"}}
    async with knative() as world:
        await applied(world, graph(resources=own))
        assert container(world)["resources"] == own
        text = str(list_at(container(world), "args")[1])
        assert msgspec.json.decode(text)["resources"] == own


async def test_g9_what_is_said_of_pods_reaches_them() -> None:
    affinity: JsonObject = {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    tolerations: list[Json] = [{"key": "a", "operator": "Exists"}]
    fields: JsonObject = {
        "affinity": affinity,
        "tolerations": tolerations,
        "nodeSelector": {"disk": "ssd"},
        "serviceAccountName": "router",
    }
    async with knative(config_map=router_config(imagePullSecrets=["pull"])) as world:
        await applied(world, graph(spec=fields | {"timeout": 30}))
        spec = object_at(graphs.template(world), "spec")
        assert {key: spec[key] for key in fields} == fields
        assert spec["imagePullSecrets"] == [{"name": "pull"}]
        assert spec["timeoutSeconds"] == 30


async def test_g11_without_knative_the_mode_is_rejected_until_it_is_there() -> None:
    async with knative(has_knative=False) as world:
        await applied(world, graph())
        assert said(world)[0] == "ServerlessModeRejected"
        assert "Warning ServerlessModeRejected" in world.events()


async def test_g21_the_status_of_the_router_is_the_graphs() -> None:
    async with knative() as world:
        await applied(world, graph())
        assert conditions(world)["Ready"] == "Unknown"
        assert "url" not in graphs.status(world)
        await router_says(world)
        assert conditions(world) == {
            "ConfigurationsReady": "True",
            "Ready": "True",
            "RoutesReady": "True",
            "ServicesReady": "True",
            "Stopped": "False",
        }
        assert graphs.status(world)["url"] == f"http://{GRAPH}.default.example.com"
        assert "Normal InferenceGraphReady" in world.events()
        await router_says(world, "False")
        assert said(world) == ("RevisionFailed", "it broke")
        assert "Warning InferenceGraphNotReady" in world.events()


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
@pytest.mark.parametrize(
    ("before", "after"), [("false", "false"), ("true", "true"), ("false", "true"), ("true", "false")]
)
async def test_g12_to_g19_stop(mode: str, before: str, after: str) -> None:
    mark = {"serving.kserve.io/deploymentMode": mode}
    async with knative() as world:
        await applied(world, graph(annotations={**mark, STOP: before}))
        await applied(world, graph(annotations={**mark, STOP: after}))
        there = after == "false"
        if mode == "Knative":
            assert world.exists(kinds.KNATIVE_SERVICE, GRAPH) == there
        else:
            made = [kinds.DEPLOYMENT, kinds.SERVICE, kinds.HORIZONTAL_POD_AUTOSCALER]
            assert [world.exists(one, GRAPH) for one in made] == [there] * 3
        assert conditions(world)["Stopped"] == str(not there)
        assert there or said(world)[0] == "Stopped"


# Standard mode.


async def test_g10_g20_the_deployment_and_service_of_a_router() -> None:
    async with serving() as world:
        await applied(world, graph(annotations=STANDARD, minReplicas=2, maxReplicas=5))
        assert not world.exists(kinds.KNATIVE_SERVICE, GRAPH)
        deployment = world.peek(kinds.DEPLOYMENT, GRAPH)
        labels = {"serving.kserve.io/inferencegraph": GRAPH, "app": f"isvc.{GRAPH}"}
        assert object_at(deployment, "metadata", "labels") == labels
        assert object_at(deployment, "spec", "template", "metadata", "labels") == labels
        [found] = list_at(deployment, "spec", "template", "spec", "containers")
        assert isinstance(found, dict)
        assert (found["name"], found["image"], found["resources"]) == (GRAPH, "kserve/router:latest", RESOURCES)
        assert text_at(found, "readinessProbe", "httpGet", "path") == "/readyz"
        service = world.peek(kinds.SERVICE, GRAPH)
        [port] = list_at(service, "spec", "ports")
        assert isinstance(port, dict)
        assert (port["port"], port["targetPort"]) == (80, 8080)
        hpa = object_at(world.peek(kinds.HORIZONTAL_POD_AUTOSCALER, GRAPH), "spec")
        assert (hpa["minReplicas"], hpa["maxReplicas"]) == (2, 5)
        for one in (deployment, service):
            [owner] = list_at(one, "metadata", "ownerReferences")
            assert isinstance(owner, dict)
            assert owner["kind"] == "InferenceGraph"


async def test_a_router_in_standard_mode_has_a_way_in() -> None:
    async with serving() as world:
        await applied(world, graph(annotations=STANDARD, routerTimeouts={"serverWrite": 90}))
        route = world.peek(kinds.HTTP_ROUTE, GRAPH)
        assert list_at(route, "spec", "hostnames") == [f"{GRAPH}-default.example.com"]
        [rule] = list_at(route, "spec", "rules")
        assert isinstance(rule, dict)
        assert text_at(rule, "timeouts", "request") == "90s"


async def test_g21_in_standard_mode_ready_follows_router_and_way_in() -> None:
    async with serving() as world:
        await applied(world, graph(annotations=STANDARD))
        assert conditions(world)["Ready"] == "False"
        await world.available(GRAPH)
        await world.accepted(GRAPH)
        assert conditions(world) == {
            "IngressReady": "True",
            "Ready": "True",
            "RouterReady": "True",
            "ServicesReady": "True",
            "Stopped": "False",
        }
        assert graphs.status(world)["url"] == f"http://{GRAPH}-default.example.com"


async def test_a_graph_for_inside_the_cluster_has_its_services_url() -> None:
    ingress = '{"ingressDomain": "example.com", "disableIngressCreation": true}'
    async with serving(config_map=config(ingress=ingress)) as world:
        await applied(world, graph(annotations=STANDARD))
        await world.available(GRAPH)
        assert not world.exists(kinds.HTTP_ROUTE, GRAPH)
        assert graphs.status(world)["url"] == f"http://{GRAPH}.default.svc.cluster.local"


async def test_another_mode_leaves_nothing_of_the_one_before() -> None:
    async with knative() as world:
        await applied(world, graph())
        await applied(world, graph(annotations=STANDARD))
        assert (world.exists(kinds.KNATIVE_SERVICE, GRAPH), world.exists(kinds.DEPLOYMENT, GRAPH)) == (False, True)
        await applied(world, graph())
        assert (world.exists(kinds.KNATIVE_SERVICE, GRAPH), world.exists(kinds.DEPLOYMENT, GRAPH)) == (True, False)


async def test_reconciling_twice_writes_nothing_new() -> None:
    async with serving() as world:
        await applied(world, graph(annotations=STANDARD))
        before = len(world.api.writes)
        await world.rests()
        assert len(world.api.writes) == before


# Services.


async def test_a_service_that_does_not_exist_is_named_and_waited_for() -> None:
    async with knative() as world:
        await applied(world, graph(step("foo")))
        assert said(world, "ServicesReady") == ("InferenceServiceNotFound", "InferenceService foo does not exist")
        assert said(world) == said(world, "ServicesReady")
        assert not world.exists(kinds.KNATIVE_SERVICE, GRAPH)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"nodes": {"a": graphs.node("Sequence", step())}}, "spec.nodes: no node is named root"),
        ({"nodes": {"root": {"routerType": "Fork"}}}, "spec: Invalid enum value 'Fork' - at `$.nodes[...].routerType`"),
        (
            {"nodes": {"root": graphs.node("Switch", step(condition="#(a"))}},
            "spec.nodes.root.steps[0].condition: '#(a' at 2: '(' is not closed",
        ),
    ],
)
async def test_a_graph_that_cannot_be_carried_out_says_why_and_what_runs_goes_on(spec: JsonObject, words: str) -> None:
    async with knative() as world:
        await applied(world, graph())
        await router_says(world)
        await applied(world, {"metadata": {"name": GRAPH}, "spec": spec})
        reason, message = said(world)
        assert (reason, message.startswith(words)) == ("InvalidGraphSpec", True)
        assert world.exists(kinds.KNATIVE_SERVICE, GRAPH)
        assert graphs.status(world)["url"] == f"http://{GRAPH}.default.example.com"


async def test_an_object_of_somebody_elses_is_left_alone() -> None:
    async with serving() as world:
        await world.add(kinds.SERVICE, {"metadata": {"name": GRAPH, "namespace": "default"}, "spec": {}})
        await applied(world, graph(annotations=STANDARD))
        reason, message = said(world)
        assert reason == "ReconcileFailed"
        assert message.startswith(f"Service {GRAPH} is there already and belongs to nobody")


async def test_services_are_asked_at_their_addresses_and_their_state_is_the_graphs() -> None:
    async with knative() as world:
        await applied(world, graph(step("foo"), step("foo", data="$response")))
        await world.applied(service())
        assert said(world, "ServicesReady")[0] == "InferenceServiceNotReady"
        await says(world)
        url = "http://foo.default.svc.cluster.local/v1/models/foo:predict"
        text = str(list_at(container(world), "args")[1])
        steps = msgspec.json.decode(text)["nodes"]["root"]["steps"]
        assert [(one["serviceName"], one["serviceUrl"]) for one in steps] == [("foo", url)] * 2
        await router_says(world)
        assert conditions(world)["Ready"] == "True"
        await says(world, ready="False")
        reason, message = said(world)
        assert reason == "InferenceServiceNotReady"
        assert message.startswith("InferenceService foo is not ready: ")
        assert world.exists(kinds.KNATIVE_SERVICE, GRAPH)


async def test_the_same_graph_is_the_same_text_whatever_the_order_it_came_in() -> None:
    async with knative() as world:
        steps: list[Json] = [{"name": "a", "weight": 1, **step()}]
        await applied(world, graph() | {"spec": {"nodes": {"root": {"routerType": "Sequence", "steps": steps}}}})
        before = world.peek(kinds.KNATIVE_SERVICE, GRAPH)
        steps = [{**step(), "weight": 1, "name": "a"}]
        await applied(world, graph() | {"spec": {"nodes": {"root": {"steps": steps, "routerType": "Sequence"}}}})
        assert world.peek(kinds.KNATIVE_SERVICE, GRAPH)["spec"] == before["spec"]


async def test_a_router_is_scaled_by_what_scales_deployments_here() -> None:
    async with serving() as world:
        await applied(world, graph(annotations={**STANDARD, "serving.kserve.io/autoscalerClass": "keda"}))
        assert said(world) == (
            "InvalidGraphSpec",
            (
                "metadata.annotations[serving.kserve.io/autoscalerClass]: "
                "a router is scaled by hpa, external, none, got 'keda'"
            ),
        )
        await applied(
            world, graph(annotations={**STANDARD, "serving.kserve.io/autoscalerClass": "none"}, minReplicas=3)
        )
        assert object_at(world.peek(kinds.DEPLOYMENT, GRAPH), "spec")["replicas"] == 3
        assert not world.exists(kinds.HORIZONTAL_POD_AUTOSCALER, GRAPH)


async def test_a_configuration_that_cannot_be_read_is_the_graphs_trouble() -> None:
    async with serving(config_map=config(router="{")) as world:
        await applied(world, graph())
        reason, message = said(world)
        assert reason == "ReconcileFailed"
        assert "key router" in message
