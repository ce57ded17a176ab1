"""Made-up services with a canary, for the tests of `rollout`."""

from inferplane.cli.rollout.collect import rollout_of
from inferplane.cli.rollout.facts import Component, Rollout
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.knative import Revision
from inferplane.resources.meta import Condition, ConditionStatus, ObjectMeta

T0 = "2026-05-01T12:00:00Z"
LABELS = {"serving.kserve.io/inferenceservice": "iris", "component": "predictor"}


def isvc(
    *traffic: tuple[str, int], newest: str, last: str, previous: str = "", percent: int | None = None
) -> JsonObject:
    """`traffic`: revision and its percent; `last` and `previous` have been rolled out."""
    shares: list[Json] = [
        {"revisionName": name, "percent": share, **({"tag": "prev"} if name != newest else {"latestRevision": True})}
        for name, share in traffic
    ]
    predictor: JsonObject = {
        "latestCreatedRevision": newest,
        "latestReadyRevision": newest,
        "latestRolledoutRevision": last,
        "previousRolledoutRevision": previous,
        "traffic": shares,
    }
    asked: JsonObject = {} if percent is None else {"canaryTrafficPercent": percent}
    ready: Json = [{"type": "Ready", "status": "True"}]
    return {
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {"predictor": {"sklearn": {}, **asked}},
        "status": {
            "deploymentMode": "Knative",
            "components": {"predictor": predictor},
            "conditions": ready,
            "observedGeneration": 9,
        },
    }


def revision(name: str, number: int, ready: str = "True", replicas: int = 1, reason: str = "") -> Revision:
    labels = {**LABELS, "serving.knative.dev/configurationGeneration": str(number)}
    said = Condition(type="Ready", status=ConditionStatus(ready), reason=reason, message="it broke" if reason else "")
    found = Revision(metadata=ObjectMeta(name=name, labels=labels, creation_timestamp=T0))
    status = type(found.status)(conditions=[said], actual_replicas=replicas, desired_replicas=replicas)
    return Revision(metadata=found.metadata, status=status)


FIRST, SECOND = revision("v1", 1), revision("v2", 2)
ALONE = isvc(("v1", 100), newest="v1", last="v1")
CANARY = isvc(("v2", 10), ("v1", 90), newest="v2", last="v1", percent=10)
PROMOTED = isvc(("v2", 100), newest="v2", last="v2", previous="v1")


def rollout(body: JsonObject, *revisions: Revision) -> Rollout:
    return rollout_of(body, revisions or (FIRST, SECOND))


def predictor(body: JsonObject, *revisions: Revision) -> Component:
    return rollout(body, *revisions).components["predictor"]
