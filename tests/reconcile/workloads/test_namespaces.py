from tests.reconcile.workloads.platform import Platform, deployment, running

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, NAMESPACE, POD, SECRET, SERVICE_ACCOUNT
from inferplane.kernel.json import JsonObject, text_at

MODELS: JsonObject = {"metadata": {"name": "models"}}


def named(platform: Platform, resource: Resource) -> list[str]:
    return [text_at(one, "metadata", "name") for one in platform.api.objects(resource, "models")]


async def test_a_new_namespace_has_a_service_account_and_the_ca() -> None:
    async with running() as platform:
        await platform.applied(NAMESPACE, MODELS)
        assert named(platform, SERVICE_ACCOUNT) == ["default"]
        [config_map] = platform.api.objects(CONFIG_MAP, "models")
        assert (text_at(config_map, "metadata", "name"), config_map["data"]) == ("kube-root-ca.crt", {"ca.crt": "CA"})


async def test_what_a_namespace_must_have_is_put_back() -> None:
    async with running() as platform:
        await platform.applied(NAMESPACE, MODELS)
        await platform.api.delete(SERVICE_ACCOUNT, "default", "models")
        await platform.changed(CONFIG_MAP, "kube-root-ca.crt", {"data": {"ca.crt": "other"}}, "models")
        assert named(platform, SERVICE_ACCOUNT) == ["default"]
        assert platform.api.objects(CONFIG_MAP, "models")[0]["data"] == {"ca.crt": "CA"}


async def test_a_deleted_namespace_takes_everything_along_and_waits_for_its_pods() -> None:
    async with running() as platform:
        await platform.applied(NAMESPACE, MODELS)
        await platform.applied(DEPLOYMENT, deployment(1), "models")
        await platform.started()
        await platform.api.delete(NAMESPACE, "models")
        await platform.settle()
        assert (named(platform, DEPLOYMENT), len(named(platform, POD))) == ([], 1)
        await platform.ended()
        assert platform.api.peek(NAMESPACE, "models") is None


async def test_a_namespace_that_cannot_go_says_what_holds_it() -> None:
    async with running() as platform:
        await platform.applied(NAMESPACE, MODELS)
        held: JsonObject = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
        await platform.applied(SECRET, held, "models")
        await platform.api.delete(NAMESPACE, "models")
        await platform.settle()
        assert [
            platform.condition("models", f"Namespace{one}", NAMESPACE)
            for one in ("DeletionContentFailure", "ContentRemaining", "FinalizersRemaining")
        ] == [
            ("False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
            ("True", "SomeResourcesRemain", "Some resources are remaining: secrets. has 1 resource instances"),
            (
                "True",
                "SomeFinalizersRemain",
                "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
            ),
        ]
        await platform.changed(SECRET, "held", {"metadata": {"finalizers": None}}, "models")
        assert platform.api.peek(NAMESPACE, "models") is None
