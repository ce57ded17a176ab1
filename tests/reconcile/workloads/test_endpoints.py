from tests.reconcile.workloads.platform import Platform, deployment, running

from inferplane.client.kubernetes.kinds import DEPLOYMENT, ENDPOINT_SLICE, POD, SERVICE
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at


def service(*ports: Json, **spec: Json) -> JsonObject:
    found: list[Json] = [*ports] or [{"port": 80, "targetPort": 8080}]
    return {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": found, **spec}}


def endpoints(platform: Platform) -> list[tuple[str, JsonObject]]:
    """Address and conditions of all endpoints."""
    return [
        (str(list_at(one, "addresses")[0]), object_at(one, "conditions"))
        for piece in platform.api.objects(ENDPOINT_SLICE)
        for one in list_at(piece, "endpoints")
        if isinstance(one, dict)
    ]


READY: JsonObject = {"ready": True, "serving": True, "terminating": False}
NOT_READY: JsonObject = {"ready": False, "serving": False, "terminating": False}
ENDING: JsonObject = {"ready": False, "serving": True, "terminating": True}


async def test_a_service_gets_a_slice_with_the_pods_addresses_and_its_ports() -> None:
    async with running() as platform:
        stored = await platform.applied(SERVICE, service({"name": "http", "port": 80, "targetPort": 8080}))
        await platform.applied(DEPLOYMENT, deployment(1))
        await platform.started()
        [one] = platform.api.objects(ENDPOINT_SLICE)
        [pod] = platform.pods()
        assert text_at(one, "metadata", "name")[:-5] == "web-"
        assert object_at(one, "metadata", "labels") == {
            "kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        }
        assert one["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
        assert one["endpoints"] == [
            {
                "addresses": [text_at(pod, "status", "podIP")],
                "conditions": READY,
                "nodeName": "local",
                "targetRef": {
                    "kind": "Pod",
                    "namespace": "default",
                    "name": text_at(pod, "metadata", "name"),
                    "uid": text_at(pod, "metadata", "uid"),
                },
            }
        ]
        [owner] = list_at(one, "metadata", "ownerReferences")
        assert isinstance(owner, dict)
        assert owner["uid"] == text_at(stored, "metadata", "uid")


async def test_an_endpoint_follows_its_pod_from_unready_to_ready_to_ending_to_gone() -> None:
    async with running() as platform:
        await platform.applied(SERVICE, service())
        await platform.applied(DEPLOYMENT, deployment(1))
        [pod] = platform.pods()
        seen = [[conditions for _, conditions in endpoints(platform)]]
        for ready in (False, True):
            platform.has_status(pod, ready=ready)
            await platform.settle()
            seen.append([conditions for _, conditions in endpoints(platform)])
        await platform.changed(DEPLOYMENT, "web", {"spec": {"replicas": 0}})
        seen.append([conditions for _, conditions in endpoints(platform)])
        await platform.ended()
        seen.append([conditions for _, conditions in endpoints(platform)])
        assert seen == [[], [NOT_READY], [READY], [ENDING], []]


async def test_a_named_port_is_the_number_that_the_pod_gives_it() -> None:
    async with running() as platform:
        for name, number in (("old", 8080), ("new", 9090)):
            pod: JsonObject = {
                "metadata": {"name": name, "labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "ports": [{"name": "h1", "containerPort": number}]}]},
            }
            await platform.applied(POD, pod)
        await platform.started()
        await platform.applied(SERVICE, service({"port": 80, "targetPort": "h1"}))
        ports = [list_at(one, "ports") for one in platform.api.objects(ENDPOINT_SLICE)]
        assert sorted(str(one) for one in ports) == [
            "[{'name': '', 'port': 8080, 'protocol': 'TCP'}]",
            "[{'name': '', 'port': 9090, 'protocol': 'TCP'}]",
        ]


async def test_more_than_a_hundred_endpoints_take_several_slices_and_stay_where_they_are() -> None:
    async with running() as platform:
        await platform.applied(SERVICE, service())
        for number in range(230):
            body: JsonObject = {
                "metadata": {"name": f"p{number:03}", "labels": {"app": "web"}},
                "spec": {"nodeName": "local"},
                "status": {"podIP": f"127.1.1.{number + 1}", "phase": "Running"},
            }
            platform.api.add(POD, body)
        await platform.settle()
        sizes = sorted(len(list_at(one, "endpoints")) for one in platform.api.objects(ENDPOINT_SLICE))
        assert sizes == [30, 100, 100]
        platform.new_changes()
        platform.api.remove(POD, "p007")
        await platform.settle()
        assert [write.verb for write in platform.new_changes()] == ["patch"]


async def test_a_change_of_the_service_changes_its_slice_in_place() -> None:
    async with running() as platform:
        await platform.applied(SERVICE, service())
        await platform.applied(DEPLOYMENT, deployment(1))
        await platform.started()
        [before] = platform.api.objects(ENDPOINT_SLICE)
        await platform.changed(SERVICE, "web", {"spec": {"ports": [{"port": 80, "targetPort": 9}]}})
        [after] = platform.api.objects(ENDPOINT_SLICE)
        assert text_at(before, "metadata", "name") == text_at(after, "metadata", "name")
        assert after["ports"] == [{"name": "", "port": 9, "protocol": "TCP"}]


async def test_services_without_a_selector_and_other_writers_slices_are_left_alone() -> None:
    async with running() as platform:
        foreign: JsonObject = {"metadata": {"name": "x", "labels": {"kubernetes.io/service-name": "web"}}}
        platform.api.add(ENDPOINT_SLICE, foreign)
        await platform.applied(SERVICE, {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})
        await platform.applied(SERVICE, {"metadata": {"name": "b"}, "spec": {"selector": {"a": "b"}, "ports": []}})
        found = [
            object_at(one, "metadata", "labels")["kubernetes.io/service-name"]
            for one in platform.api.objects(ENDPOINT_SLICE)
        ]
        assert sorted(map(str, found)) == ["b", "web"]


async def test_settled_endpoints_are_left_alone_by_restarted_controllers() -> None:
    async with running() as platform:
        await platform.applied(SERVICE, service())
        await platform.applied(DEPLOYMENT, deployment(2))
        await platform.started()
        api, clock = platform.api, platform.clock
    api.changes.clear()
    async with running(api, clock) as platform:
        assert platform.new_changes() == []
