from tests.reconcile.workloads.platform import deployment, ready_node, running

from inferplane.client.kubernetes.kinds import DEPLOYMENT, NODE, POD
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at

LONE_POD: JsonObject = {"metadata": {"name": "lone"}, "spec": {"containers": [{"name": "main"}]}}


async def test_a_pod_is_bound_to_the_ready_node() -> None:
    async with running() as platform:
        await platform.applied(POD, LONE_POD)
        assert text_at(platform.pods()[0], "spec", "nodeName") == "local"
        assert ("Scheduled", "Successfully assigned default/lone to local") in platform.events()


async def test_a_pod_without_a_ready_node_says_so_once_and_is_bound_when_there_is_one() -> None:
    async with running() as platform:
        platform.api.add(NODE, {"metadata": {"name": "local"}})
        await platform.applied(POD, LONE_POD)
        [scheduled] = list_at(platform.pods()[0], "status", "conditions")
        assert isinstance(scheduled, dict)
        assert (scheduled["status"], scheduled["reason"], scheduled["message"]) == (
            "False",
            "Unschedulable",
            "0/1 nodes are available: 1 node(s) were not ready.",
        )
        platform.new_changes()
        platform.api.add(NODE, {"metadata": {"name": "local", "labels": {"touched": "yes"}}})
        await platform.settle()
        assert platform.new_changes() == []
        platform.api.add(NODE, ready_node())
        await platform.settle()
        assert text_at(platform.pods()[0], "spec", "nodeName") == "local"


async def test_a_pod_of_another_scheduler_is_left_alone() -> None:
    async with running() as platform:
        spec: JsonObject = {"schedulerName": "mine", "containers": [{"name": "main"}]}
        await platform.applied(POD, LONE_POD | {"spec": spec})
        assert text_at(platform.pods()[0], "spec", "nodeName") == ""


async def test_a_pod_that_does_not_fit_waits_until_another_makes_room() -> None:
    async with running() as platform:
        platform.api.add(
            NODE, ready_node() | {"status": {**object_at(ready_node(), "status"), "allocatable": {"cpu": "2"}}}
        )
        for name in ("first", "second"):
            spec: JsonObject = {"containers": [{"name": "main", "resources": {"requests": {"cpu": "1500m"}}}]}
            await platform.applied(POD, {"metadata": {"name": name}, "spec": spec})
        [scheduled] = list_at(platform.pods()[1], "status", "conditions")
        assert isinstance(scheduled, dict)
        assert (scheduled["reason"], scheduled["message"]) == (
            "Unschedulable",
            "0/1 nodes are available: 1 Insufficient cpu.",
        )
        assert ("FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.") in platform.events()
        await platform.api.delete(POD, "first", "default", grace_seconds=0)
        await platform.settle()
        assert [text_at(one, "spec", "nodeName") for one in platform.pods()] == ["local"]


def web(replicas: int, cpu: str, name: str = "web") -> JsonObject:
    body = deployment(replicas, name=name)
    container: JsonObject = {"name": "main", "image": "app", "resources": {"requests": {"cpu": cpu}}}
    spec: JsonObject = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    return body | {"spec": object_at(body, "spec") | {"template": spec}}


def two_cores() -> JsonObject:
    return ready_node() | {"status": {**object_at(ready_node(), "status"), "allocatable": {"cpu": "2"}}}


async def test_a_replica_is_created_with_its_node_and_bound_by_nobody() -> None:
    async with running() as platform:
        platform.api.add(NODE, two_cores())
        await platform.settle()
        platform.new_changes()
        await platform.applied(DEPLOYMENT, web(1, "100m"))
        [written] = [one for one in platform.new_changes() if one.resource == POD]
        assert (written.verb, written.subresource) == ("create", "")
        [pod] = platform.pods()
        name = text_at(pod, "metadata", "name")
        assert text_at(pod, "spec", "nodeName") == "local"
        assert ("Scheduled", f"Successfully assigned default/{name} to local") in platform.events()


async def test_replicas_that_are_created_at_once_do_not_take_the_same_room() -> None:
    async with running() as platform:
        platform.api.add(NODE, two_cores())
        await platform.settle()
        await platform.applied(DEPLOYMENT, web(4, "900m"))
        assert sorted(text_at(one, "spec", "nodeName") for one in platform.pods()) == ["", "", "local", "local"]


async def test_a_replica_without_room_waits_for_it_as_any_pod() -> None:
    async with running() as platform:
        platform.api.add(NODE, two_cores())
        await platform.settle()
        await platform.applied(DEPLOYMENT, web(1, "3"))
        assert ("FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.") in platform.events()
        assert text_at(platform.pods()[0], "spec", "nodeName") == ""
