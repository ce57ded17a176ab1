from datetime import UTC, datetime

from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.apiserver.kinds import BUILT_IN, Definition, Kind, PrinterColumn
from inferplane.controlplane.apiserver.tables.table import table
from inferplane.kernel.json import Json, JsonObject, list_at
from inferplane.resources import schemas

KINDS = {kind.key: kind for kind in BUILT_IN}
NOW = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
CREATED: JsonObject = {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"}


def row(key: str, obj: JsonObject) -> list[Json]:
    return cells(KINDS[key], obj)


def cells(kind: Kind, obj: JsonObject) -> list[Json]:
    base: JsonObject = {"metadata": CREATED}
    shown = table(kind, [base | obj], {}, NOW, include="None")
    (one,) = list_at(shown, "rows")
    assert isinstance(one, dict)
    assert len(list_at(one, "cells")) == len(list_at(shown, "columnDefinitions"))
    return list_at(one, "cells")


def test_a_running_pod_that_was_restarted() -> None:
    main: JsonObject = {
        "ready": True,
        "restartCount": 3,
        "state": {"running": {}},
        "lastState": {"terminated": {"finishedAt": "2026-01-01T00:03:00Z"}},
    }
    status: JsonObject = {"phase": "Running", "containerStatuses": [main], "podIP": "10.0.0.1"}
    shown = row("/pods", {"spec": {"containers": [{}], "nodeName": "n"}, "status": status})
    assert shown == ["x", "1/1", "Running", "3 (2m ago)", "5m", "10.0.0.1", "n", "<none>", "<none>"]


def test_the_status_of_a_pod_is_what_holds_it() -> None:
    def word(status: JsonObject, **metadata: Json) -> Json:
        spec: JsonObject = {"containers": [{}], "initContainers": [{"name": "init"}]}
        return row("/pods", {"metadata": CREATED | metadata, "spec": spec, "status": status})[2]

    def container(**state: Json) -> JsonObject:
        return {"phase": "Running", "containerStatuses": [{"state": state}]}

    init: JsonObject = {"phase": "Pending", "initContainerStatuses": [{"name": "init", "state": {"running": {}}}]}
    failed: JsonObject = {"name": "init", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    assert [
        word({"phase": "Pending"}),
        word(init),
        word({"phase": "Pending", "initContainerStatuses": [failed]}),
        word(container(waiting={"reason": "CrashLoopBackOff"})),
        word(container(terminated={"exitCode": 2})),
        word(container(terminated={"signal": 9})),
        word({"phase": "Failed", "reason": "Evicted"}),
        word({"phase": "Running"}, deletionTimestamp="t"),
        word({"phase": "Succeeded"}, deletionTimestamp="t"),
    ] == [
        "Pending",
        "Init:0/1",
        "Init:Error",
        "CrashLoopBackOff",
        "ExitCode:2",
        "Signal:9",
        "Evicted",
        "Terminating",
        "Succeeded",
    ]


def test_a_deployment_and_a_service() -> None:
    template: JsonObject = {"spec": {"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "j"}]}}
    spec: JsonObject = {"replicas": 2, "selector": {"matchLabels": {"app": "x"}}, "template": template}
    status: JsonObject = {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}
    deployment = row("apps/deployments", {"spec": spec, "status": status})
    assert deployment == ["x", "1/2", 2, 1, "5m", "a,b", "i,j", "app=x"]
    ports: Json = [{"port": 80, "nodePort": 30000, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]
    service = row("/services", {"spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.9", "ports": ports}})
    assert service == ["x", "LoadBalancer", "10.96.0.9", "<pending>", "80:30000/TCP,53/UDP", "5m", "<none>"]


def test_many_endpoints_are_counted() -> None:
    endpoints: Json = [{"addresses": [f"10.0.0.{n}"]} for n in range(5)]
    shown = row("discovery.k8s.io/endpointslices", {"addressType": "IPv4", "endpoints": endpoints, "ports": []})
    assert shown == ["x", "IPv4", "<unset>", "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more...", "5m"]


def test_columns_of_a_definition_are_read_by_their_type_and_empty_where_nothing_is() -> None:
    columns = (
        PrinterColumn("URL", "string", ".status.url"),
        PrinterColumn("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
        PrinterColumn("N", "integer", ".spec.n"),
        PrinterColumn("Bad", "integer", ".status.url"),
        PrinterColumn("Age", "date", ".metadata.creationTimestamp"),
        PrinterColumn("Parts", "string", ".spec"),
    )
    resource = Resource("x.io", "v1", "things", "Thing")
    definition = Definition("things.x.io", schemas.custom({}), columns)
    kind = Kind(resource, "thing", "ThingList", resource, definition=definition)
    obj: JsonObject = {"spec": {"n": 2.0}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert cells(kind, obj) == ["x", None, "True", 2, None, "5m", '{"n":2.0}']


def test_what_goes_along_in_a_row_is_the_client_s_choice() -> None:
    obj: JsonObject = {"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}}

    def carried(include: str) -> Json:
        (one,) = list_at(table(KINDS["/configmaps"], [obj], {}, NOW, include=include), "rows")
        return one.get("object") if isinstance(one, dict) else None

    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "x"}}
    assert [carried(include) for include in ("None", "Object", "Metadata")] == [None, obj, partial]


def test_an_autoscaler_shows_each_metric_beside_its_target() -> None:
    def shown(specs: list[Json], statuses: list[Json]) -> Json:
        spec: JsonObject = {"maxReplicas": 3, "metrics": specs}
        return row("autoscaling/horizontalpodautoscalers", {"spec": spec, "status": {"currentMetrics": statuses}})[2]

    def metric(name: str, kind: str = "Resource", **target: Json) -> Json:
        return {"type": kind, kind[:1].lower() + kind[1:]: {"name": name, "target": target}}

    def measured(**current: Json) -> Json:
        return {"type": "Resource", "resource": {"name": "any", "current": current}}

    percent, average = metric("cpu", averageUtilization=80), metric("memory", averageValue="10Gi")
    external = metric("", "External", averageValue="5")
    both: list[Json] = [measured(averageUtilization=12, averageValue="12m"), measured(averageValue="3Gi")]
    assert [
        shown([], []),
        shown([percent], []),
        shown([percent], [{"type": ""}]),
        shown([percent, average], both),
        shown([percent, average, external], both),
        shown([external], []),
    ] == [
        "<none>",
        "cpu: <unknown>/80%",
        "cpu: <unknown>/80%",
        "cpu: 12%/80%, memory: 3Gi/10Gi",
        "cpu: 12%/80%, memory: 3Gi/10Gi + 1 more...",
        "<unknown>/5 (avg)",
    ]
