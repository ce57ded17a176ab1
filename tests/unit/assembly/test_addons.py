from tests.fakes.api import MemoryApi

from inferplane.assembly.addons import Addon, addons, install
from inferplane.client.kubernetes.kinds import CLUSTER_SERVING_RUNTIME, GATEWAY, PROCESS_IMAGE
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at


def kinds_in_order() -> list[str]:
    return [one.resource.kind for one in addons(8080)]


def test_kinds_come_before_their_objects_and_namespaces_before_what_is_in_them() -> None:
    order = kinds_in_order()
    last_definition = max(n for n, kind in enumerate(order) if kind == "CustomResourceDefinition")
    assert last_definition < order.index("Namespace") < order.index("Gateway")


def test_every_custom_object_has_a_definition() -> None:
    wanted = addons(8080)
    defined = {
        (text_at(one.body, "spec", "group"), text_at(object_at(one.body, "spec", "names"), "kind"))
        for one in wanted
        if one.resource.kind == "CustomResourceDefinition"
    }
    for addon in wanted:
        if addon.resource.group not in ("", "apiextensions.k8s.io", "networking.k8s.io"):
            assert (addon.resource.group, addon.resource.kind) in defined


def test_the_gateway_listens_on_the_chosen_port() -> None:
    gateway = next(one for one in addons(9191) if one.resource == GATEWAY)
    ports = [listener["port"] for listener in list_at(gateway.body, "spec", "listeners") if isinstance(listener, dict)]
    assert ports == [9191]


async def test_installing_twice_changes_nothing() -> None:
    api = MemoryApi()
    await install(api, addons(8080))
    before = (await api.list(PROCESS_IMAGE)).resource_version
    await install(api, addons(8080))
    assert (await api.list(PROCESS_IMAGE)).resource_version == before


async def test_what_is_installed_is_not_even_applied_again() -> None:
    api = MemoryApi()
    await install(api, addons(8080))
    api.writes.clear()
    await install(api, addons(8080))
    assert not api.writes


async def test_another_port_changes_the_gateway_alone() -> None:
    api = MemoryApi()
    await install(api, addons(8080))
    api.writes.clear()
    await install(api, addons(9191))
    assert [write.resource for write in api.writes] == [GATEWAY]


async def test_what_a_user_changed_stays() -> None:
    api = MemoryApi()
    runtime = next(one for one in addons(8080) if one.resource == CLUSTER_SERVING_RUNTIME)
    await install(api, [runtime])
    name = text_at(runtime.body, "metadata", "name")
    mine: JsonObject = {"metadata": {"name": name}, "spec": {"disabled": True}}
    await api.apply(CLUSTER_SERVING_RUNTIME, mine, manager="me")
    await install(api, [Addon(runtime.resource, runtime.body, ours=False)])
    assert object_at(await api.get(CLUSTER_SERVING_RUNTIME, name), "spec")["disabled"] is True
