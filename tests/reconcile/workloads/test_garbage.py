import pytest
from tests.reconcile.workloads.platform import Platform, deployment, running

from inferplane.client.kubernetes.api import Propagation, Resource
from inferplane.client.kubernetes.kinds import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    EVENT,
    INFERENCE_SERVICE,
    POD,
    REPLICA_SET,
    SECRET,
)
from inferplane.kernel.json import Json, JsonObject, list_at, text_at


def owned_by(*owners: JsonObject, block: bool = True) -> list[Json]:
    return [
        {
            "apiVersion": text_at(one, "apiVersion"),
            "kind": text_at(one, "kind"),
            "name": text_at(one, "metadata", "name"),
            "uid": text_at(one, "metadata", "uid"),
            "blockOwnerDeletion": block,
        }
        for one in owners
    ]


async def applied(platform: Platform, name: str, *owners: JsonObject, finalizers: tuple[str, ...] = ()) -> JsonObject:
    body: JsonObject = {"metadata": {"name": name, "ownerReferences": owned_by(*owners), "finalizers": [*finalizers]}}
    return await platform.applied(SECRET, body)


def secrets(platform: Platform) -> list[str]:
    return [text_at(one, "metadata", "name") for one in platform.api.objects(SECRET)]


async def test_dependents_go_with_their_owner_down_the_chain() -> None:
    async with running() as platform:
        await platform.applied(DEPLOYMENT, deployment(2))
        await platform.started()
        await platform.api.delete(DEPLOYMENT, "web", "default")
        await platform.settle()
        await platform.ended()
        assert (platform.api.objects(REPLICA_SET), platform.pods()) == ([], [])


async def test_a_custom_object_owns_a_built_in_one() -> None:
    async with running() as platform:
        owner = await platform.applied(INFERENCE_SERVICE, {"metadata": {"name": "iris"}})
        await applied(platform, "a", owner)
        await platform.api.delete(INFERENCE_SERVICE, "iris", "default")
        await platform.settle()
        assert secrets(platform) == []


async def test_an_owner_made_anew_under_the_same_name_is_another_owner() -> None:
    async with running() as platform:
        owner = await applied(platform, "owner")
        await applied(platform, "a", owner)
        await platform.api.delete(SECRET, "owner", "default")
        await applied(platform, "owner")
        assert secrets(platform) == ["owner"]


async def test_a_dependent_of_two_owners_stays_with_the_one_that_is_left() -> None:
    async with running() as platform:
        first, second = await applied(platform, "first"), await applied(platform, "second")
        await applied(platform, "a", first, second)
        await platform.api.delete(SECRET, "first", "default")
        await platform.settle()
        stored = platform.api.peek(SECRET, "a") or {}
        assert list_at(stored, "metadata", "ownerReferences") == owned_by(second)


async def test_orphans_are_let_go_of_and_stay() -> None:
    async with running() as platform:
        owner = await applied(platform, "owner")
        await applied(platform, "a", owner)
        await platform.api.delete(SECRET, "owner", "default", propagation=Propagation.ORPHAN)
        await platform.settle()
        assert secrets(platform) == ["a"]
        assert list_at(platform.api.peek(SECRET, "a") or {}, "metadata", "ownerReferences") == []


async def test_a_foreground_deletion_waits_for_its_dependents() -> None:
    async with running() as platform:
        owner = await applied(platform, "owner")
        await applied(platform, "a", owner, finalizers=("example.com/hold",))
        await platform.api.delete(SECRET, "owner", "default", propagation=Propagation.FOREGROUND)
        await platform.settle()
        assert secrets(platform) == ["a", "owner"]
        assert text_at(platform.api.peek(SECRET, "a") or {}, "metadata", "deletionTimestamp")
        await platform.changed(SECRET, "a", {"metadata": {"finalizers": None}})
        assert secrets(platform) == []


async def test_a_dependent_that_lost_its_owner_while_nobody_looked_is_found_at_the_start() -> None:
    async with running() as platform:
        owner = await applied(platform, "owner")
        await applied(platform, "a", owner)
        api, clock = platform.api, platform.clock
    api.remove(SECRET, "owner")
    async with running(api, clock) as platform:
        assert secrets(platform) == []


async def test_an_owner_of_an_unknown_kind_is_not_presumed_gone() -> None:
    async with running() as platform:
        stranger: JsonObject = {"apiVersion": "x/v1", "kind": "Stranger", "metadata": {"name": "s", "uid": "1"}}
        await applied(platform, "a", stranger)
        assert secrets(platform) == ["a"]


async def test_an_owner_whose_kind_becomes_known_later_is_looked_up_then() -> None:
    widgets = Resource("example.com", "v1", "widgets", "Widget")
    async with running() as platform:
        lost: JsonObject = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "uid": "1"}}
        await applied(platform, "a", lost)
        assert secrets(platform) == ["a"]
        await platform.applied(widgets, {"metadata": {"name": "other"}})
        await platform.applied(CUSTOM_RESOURCE_DEFINITION, {"metadata": {"name": "widgets.example.com"}}, "")
        assert secrets(platform) == []


@pytest.mark.parametrize("replicas", [0, 2])
async def test_a_foreground_deletion_of_a_deployment_ends_with_everything_gone(replicas: int) -> None:
    async with running() as platform:
        await platform.applied(DEPLOYMENT, deployment(replicas))
        await platform.started()
        await platform.api.delete(DEPLOYMENT, "web", "default", propagation=Propagation.FOREGROUND)
        await platform.settle()
        await platform.ended()
        assert [platform.api.objects(kind) for kind in (DEPLOYMENT, REPLICA_SET, POD, CONFIG_MAP)] == [[], [], [], []]


async def test_events_are_left_out_as_in_kubernetes_since_they_go_by_themselves() -> None:
    async with running() as platform:
        owner = await applied(platform, "owner")
        await platform.applied(EVENT, {"metadata": {"name": "told", "ownerReferences": owned_by(owner)}})
        await applied(platform, "owned", owner)
        await platform.api.delete(SECRET, "owner", "default")
        await platform.settle()
        assert secrets(platform) == []
        assert [text_at(one, "metadata", "name") for one in platform.api.objects(EVENT)] == ["told"]
