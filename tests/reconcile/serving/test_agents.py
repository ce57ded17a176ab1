"""Logger and batcher of a component, in either mode: what its pods and its Service become."""

import msgspec
import pytest
from tests.reconcile.serving.knative_world import containers as knative_containers
from tests.reconcile.serving.knative_world import definition, knative, service, template
from tests.reconcile.serving.world import World, isvc, runtime, serving

from inferplane.client.kubernetes.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    PROCESS_IMAGE,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    SERVING_RUNTIME,
)
from inferplane.kernel.json import Json, JsonObject, list_at, object_at
from inferplane.resources.knative.config import Config as KnativeConfig
from inferplane.resources.knative.template import RevisionTemplate
from inferplane.resources.knative.validation import template_problems
from inferplane.resources.process_image import process_images

NAME = "raw-foo-predictor"
BATCHER: JsonObject = {"batcher": {"maxBatchSize": 8, "maxLatency": 100}}
LOGGER: JsonObject = {"logger": {"mode": "all", "url": "http://sink"}}


def containers(world: World, name: str = NAME) -> list[JsonObject]:
    found = list_at(world.peek(DEPLOYMENT, name), "spec", "template", "spec", "containers")
    return [one for one in found if isinstance(one, dict)]


def ports(world: World, name: str = NAME) -> list[tuple[Json, Json]]:
    found = [one for one in list_at(world.peek(SERVICE, name), "spec", "ports") if isinstance(one, dict)]
    return [(one["port"], one["targetPort"]) for one in found]


async def test_a_foreign_server_is_reached_by_way_of_the_agent() -> None:
    async with serving() as world:
        await world.applied(isvc(predictor=BATCHER | LOGGER))
        main, agent = containers(world)
        assert ports(world) == [(80, 9081)]
        await world.available()
        await world.accepted()
        assert world.condition("Ready")["status"] == "True"
    assert (main["name"], agent["name"]) == ("kserve-container", "agent")
    assert object_at(main, "readinessProbe", "tcpSocket") == {"port": 8080}
    assert list_at(agent, "args")[:5] == ["--enable-batcher", "--max-batchsize", "8", "--max-latency", "100"]
    assert list_at(agent, "args")[-2:] == ["--component-port", "8080"]


async def test_without_either_there_is_none_and_it_goes_when_they_do() -> None:
    async with serving() as world:
        await world.applied(isvc(predictor=BATCHER))
        await world.applied(isvc())
        assert [one["name"] for one in containers(world)] == ["kserve-container"]
        assert ports(world) == [(80, 8080)]


async def test_a_runtime_that_does_it_itself_is_told_and_reached_directly() -> None:
    async with serving() as world:
        await world.add(SERVING_RUNTIME, runtime(annotations={"inferplane.dev/agent": "in-server"}))
        await world.applied(isvc(predictor=BATCHER))
        (main,) = containers(world)
        assert ports(world) == [(80, 8080)]
    assert list_at(main, "args")[-5:] == ["--enable-batcher", "--max-batchsize", "8", "--max-latency", "100"]


async def test_only_the_first_port_is_the_agents() -> None:
    declared: list[Json] = [{"containerPort": 8085, "name": "http1"}, {"containerPort": 9000, "name": "grpc"}]
    own: JsonObject = {"containers": [{"name": "kserve-container", "image": "i", "ports": declared}], **BATCHER}
    async with serving() as world:
        await world.applied(isvc(predictor=own | {"tensorflow": None}))
        assert ports(world) == [(80, 9081), (9000, 9000)]


async def test_a_transformer_has_its_own_and_an_explainers_batcher_is_ignored() -> None:
    spec: JsonObject = {
        "predictor": {"tensorflow": {"storageUri": "s3://b/m"}},
        "transformer": {"containers": [{"image": "t:1"}], **LOGGER},
        "explainer": {"containers": [{"image": "e:1"}], **BATCHER},
    }
    async with serving() as world:
        await world.applied(isvc() | {"spec": spec})
        names = {
            kind: [one["name"] for one in containers(world, f"raw-foo-{kind}")]
            for kind in ("predictor", "transformer", "explainer")
        }
        component = list_at(containers(world, "raw-foo-transformer")[1], "args")
        assert ports(world, "raw-foo-explainer") == [(80, 8080)]
    assert names == {
        "predictor": ["kserve-container"],
        "transformer": ["kserve-container", "agent"],
        "explainer": ["kserve-container"],
    }
    assert component[component.index("--component") + 1] == "transformer"


async def test_a_canarys_requests_are_logged_as_such() -> None:
    canary: JsonObject = {"name": "v2", "tensorflow": {"storageUri": "s3://b/v2"}, **LOGGER}
    async with serving() as world:
        body = isvc(predictor=LOGGER | {"minReplicas": 2}, autoscalerClass="none")
        spec: JsonObject = object_at(body, "spec") | {"canary": [{"predictor": canary, "trafficPercent": 50}]}
        await world.applied(body | {"spec": spec})
        found = [list_at(containers(world, name)[1], "args") for name in (NAME, "raw-foo-v2-predictor")]
    assert [args[args.index("--endpoint") + 1] for args in found] == ["default", "canary"]


async def test_the_platforms_images_tell_which_containers_are_ours_as_soon_as_they_are_there() -> None:
    own: JsonObject = {"name": "kserve-container", "image": "kserve/sklearnserver:latest"}
    async with serving() as world:
        await world.applied(isvc(predictor={"tensorflow": None, "containers": [own], **BATCHER}))
        before = [one["name"] for one in containers(world)]
        for image in process_images():
            world.api.add(PROCESS_IMAGE, image)
        await world.add(CUSTOM_RESOURCE_DEFINITION, definition("processimages", "inferplane.dev"))
        after = [one["name"] for one in containers(world)]
    assert (before, after) == (["kserve-container", "agent"], ["kserve-container"])


@pytest.mark.parametrize("own", [{}, {"serviceAccountName": "writer"}])
async def test_a_logger_that_writes_to_a_store_has_the_credentials_of_its_account(own: JsonObject) -> None:
    storage: JsonObject = {"path": "logs", "parameters": {"format": "json"}, "key": "k", **own}
    logger: JsonObject = {"mode": "all", "url": "s3://bucket", "storage": storage}
    keys: JsonObject = {"AWS_ACCESS_KEY_ID": "YQ==", "AWS_SECRET_ACCESS_KEY": "YQ=="}
    async with serving() as world:
        await world.add(SECRET, {"metadata": {"name": "s3"}, "data": keys}, "default")
        account = str(own.get("serviceAccountName") or "logger-sa")
        await world.add(SERVICE_ACCOUNT, {"metadata": {"name": account}, "secrets": [{"name": "s3"}]}, "default")
        await world.applied(isvc(predictor={"logger": logger}))
        main, agent = containers(world)
    names = [one.get("name") for one in list_at(agent, "env") if isinstance(one, dict)]
    assert {*keys} <= {*names}
    assert "AWS_ACCESS_KEY_ID" not in str(main.get("env"))


async def test_in_knative_mode_the_agent_is_the_container_that_knative_asks() -> None:
    async with knative() as world:
        await world.applied(service(BATCHER | LOGGER))
        main, agent = knative_containers(world)
        refused = template_problems(msgspec.convert(template(world), RevisionTemplate), KnativeConfig())
    assert [one for one in refused if "initContainers" not in one] == []
    assert (main["name"], agent["name"]) == ("kserve-container", "agent")
    assert "readinessProbe" not in main
    assert "ports" not in main
    assert agent["ports"] == [{"containerPort": 9081, "protocol": "TCP"}]
    args = list_at(agent, "args")
    assert args[args.index("--source-uri") + 1] == "$(K_REVISION)"


@pytest.mark.parametrize(
    ("predictor", "words"),
    [
        ({"batcher": {"maxBatchSize": 0}}, "spec.predictor.batcher.maxBatchSize: must be 1 or more, is 0"),
        ({"batcher": {"maxLatency": -1}}, "spec.predictor.batcher.maxLatency: must be 0 or more, is -1"),
        ({"batcher": {"timeout": 0}}, "spec.predictor.batcher.timeout: must be 1 or more, is 0"),
        ({"logger": {"mode": "all", "url": "sink"}}, "spec.predictor.logger.url: expected a URL such as http://"),
        ({"logger": {"mode": "all", "url": "s3://b"}}, "spec.predictor.logger.storage.path: is needed to write to s3"),
        ({"logger": {"mode": "all", "batchSize": 0}}, "spec.predictor.logger.batchSize: must be 1 or more, is 0"),
    ],
)
async def test_what_the_agent_would_end_at_is_told_of_the_spec(predictor: JsonObject, words: str) -> None:
    async with serving() as world:
        await world.applied(isvc(predictor=predictor))
        found = world.condition("PredictorReady")
        assert not world.exists(DEPLOYMENT, NAME)
    assert (found["status"], found["reason"]) == ("False", "InvalidPredictorSpec")
    assert words in str(found["message"])
