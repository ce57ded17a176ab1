from tests.reconcile.workloads.platform import Platform, deployment, running

from inferplane.client.kubernetes.api import Propagation
from inferplane.client.kubernetes.kinds import DEPLOYMENT, POD, REPLICA_SET
from inferplane.kernel.json import JsonObject, list_at, text_at


def replica_set(replicas: int, **spec: int) -> JsonObject:
    return {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main"}]}},
            **spec,
        },
    }


def names(platform: Platform) -> list[str]:
    return [text_at(one, "metadata", "name") for one in platform.pods()]


async def test_a_pod_that_vanishes_is_replaced_by_exactly_one() -> None:
    async with running() as platform:
        await platform.applied(REPLICA_SET, replica_set(3))
        platform.api.remove(POD, names(platform)[0])
        await platform.settle()
        assert len(names(platform)) == 3


async def test_a_failed_pod_stays_for_the_record_and_is_replaced() -> None:
    async with running() as platform:
        await platform.applied(REPLICA_SET, replica_set(1))
        platform.api.add(POD, platform.pods()[0] | {"status": {"phase": "Failed"}})
        await platform.settle()
        assert len(names(platform)) == 2
        assert platform.status(REPLICA_SET, "web")["replicas"] == 1


async def test_shrinking_removes_pods_that_are_not_ready_first() -> None:
    async with running() as platform:
        await platform.applied(REPLICA_SET, replica_set(3))
        healthy = names(platform)[1]
        await platform.started(healthy)
        await platform.changed(REPLICA_SET, "web", {"spec": {"replicas": 1}})
        await platform.ended()
        assert names(platform) == [healthy]


async def test_a_matching_orphan_is_adopted_instead_of_making_a_pod() -> None:
    async with running() as platform:
        orphan: JsonObject = {"metadata": {"name": "orphan", "labels": {"app": "web"}}, "spec": {}}
        await platform.applied(POD, orphan)
        stored = await platform.applied(REPLICA_SET, replica_set(1))
        assert names(platform) == ["orphan"]
        [owner] = list_at(platform.pods()[0], "metadata", "ownerReferences")
        assert owner == {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": "web",
            "uid": text_at(stored, "metadata", "uid"),
            "controller": True,
            "blockOwnerDeletion": True,
        }


async def test_a_pod_whose_label_is_taken_away_is_released_and_replaced() -> None:
    async with running() as platform:
        await platform.applied(REPLICA_SET, replica_set(1))
        [name] = names(platform)
        await platform.changed(POD, name, {"metadata": {"labels": {"app": "debug"}}})
        released = platform.api.peek(POD, name) or {}
        assert (len(names(platform)), list_at(released, "metadata", "ownerReferences")) == (2, [])


async def test_a_pod_is_available_when_it_has_been_ready_for_long_enough() -> None:
    async with running() as platform:
        await platform.applied(REPLICA_SET, replica_set(1, minReadySeconds=30))
        await platform.started()
        assert "availableReplicas" not in platform.status(REPLICA_SET, "web")
        platform.clock.advance(30)
        await platform.settle()
        assert platform.status(REPLICA_SET, "web")["availableReplicas"] == 1


async def test_an_orphaned_replica_set_is_adopted_by_a_deployment_of_the_same_template() -> None:
    async with running() as platform:
        await platform.applied(DEPLOYMENT, deployment(2))
        before = names(platform)
        await platform.api.delete(DEPLOYMENT, "web", "default", propagation=Propagation.ORPHAN)
        await platform.settle()
        await platform.applied(DEPLOYMENT, deployment(2))
        assert names(platform) == before
