from inferplane.controlplane.apiserver.conversions import from_storage, to_storage
from inferplane.controlplane.apiserver.kinds import BUILT_IN, Kind
from inferplane.kernel.json import Json, JsonObject, object_at


def kind(api_version: str, name: str) -> Kind:
    return next(k for k in BUILT_IN if (k.resource.api_version, k.resource.kind) == (api_version, name))


def test_an_event_keeps_its_fields_under_the_names_of_either_version() -> None:
    served = kind("events.k8s.io/v1", "Event")
    event: JsonObject = {
        "kind": "Event",
        "apiVersion": "events.k8s.io/v1",
        "regarding": {"kind": "Pod"},
        "note": "started",
        "reportingController": "node",
        "deprecatedCount": 2,
        "type": "Normal",
    }
    kept: JsonObject = {
        "kind": "Event",
        "apiVersion": "v1",
        "involvedObject": {"kind": "Pod"},
        "message": "started",
        "reportingComponent": "node",
        "count": 2,
        "type": "Normal",
    }
    assert to_storage(served, event) == kept
    assert from_storage(served, kept) == event


def test_an_autoscaler_s_percentage_is_its_cpu_metric() -> None:
    served = kind("autoscaling/v1", "HorizontalPodAutoscaler")
    spec: JsonObject = {"maxReplicas": 3, "minReplicas": 1, "targetCPUUtilizationPercentage": 70}
    target: Json = {"type": "Utilization", "averageUtilization": 70}
    metrics: Json = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    kept = to_storage(served, {"spec": spec})
    assert kept == {
        "apiVersion": "autoscaling/v2",
        "spec": {"maxReplicas": 3, "minReplicas": 1, "metrics": metrics},
    }
    assert object_at(from_storage(served, kept), "spec") == spec


def test_a_kind_in_the_version_that_is_kept_is_left_as_it_is() -> None:
    served = kind("autoscaling/v2", "HorizontalPodAutoscaler")
    given: JsonObject = {"spec": {"maxReplicas": 3}}
    assert to_storage(served, given) is given
    assert from_storage(served, given) is given
