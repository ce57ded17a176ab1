"""Reviews of access: what is asked is answered, nothing is kept. There is one user here, and it may do everything."""

from collections.abc import Callable

from inferplane.controlplane.apiserver import bodies, errors, intake
from inferplane.controlplane.apiserver.answers import plain
from inferplane.controlplane.apiserver.calls import Answer, Call
from inferplane.controlplane.apiserver.errors import bad_request
from inferplane.kernel.json import Json, JsonObject, object_at, text_at
from inferplane.resources.schemas import FieldError

USER = "inferplane-admin"
MASTERS = "system:masters"


def review(call: Call) -> Answer:
    body = bodies.read_object(call.body, call.content_type)
    obj = intake.typed(call.kind, body.object)
    metadata: JsonObject = {"namespace": call.namespace} if call.namespace else {}
    answered = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], "metadata": metadata}
    return plain(call.wanted, answered | REVIEWS[call.kind.key](call.kind.resource.group, obj), 201)


def _access(group: str, obj: JsonObject) -> JsonObject:
    spec = object_at(obj, "spec")
    if ("resourceAttributes" in spec) == ("nonResourceAttributes" in spec):
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        causes = [FieldError("spec.resourceAttributes", "FieldValueInvalid", f"Invalid value: null: {text}")]
        raise errors.invalid(group, "", "", causes)
    return {"spec": spec, "status": {"allowed": True}}


def _others_access(group: str, obj: JsonObject) -> JsonObject:
    spec = object_at(obj, "spec")
    groups = spec.get("groups")
    masters = isinstance(groups, list) and MASTERS in groups
    return {"spec": spec, "status": {"allowed": text_at(spec, "user") == USER or masters}}


def _rules(group: str, obj: JsonObject) -> JsonObject:
    if not text_at(obj, "spec", "namespace"):
        raise bad_request("no namespace on request")
    everything: list[Json] = ["*"]
    status: JsonObject = {
        "resourceRules": [{"verbs": everything, "apiGroups": everything, "resources": everything}],
        "nonResourceRules": [{"verbs": everything, "nonResourceURLs": everything}],
        "incomplete": False,
    }
    return {"spec": {}, "status": status}


def _token(group: str, obj: JsonObject) -> JsonObject:
    # The only token is the administrator's own, which is not handed out as a ServiceAccount's.
    return {"spec": object_at(obj, "spec"), "status": {"user": {}, "error": "the token is not known"}}


def _self(group: str, obj: JsonObject) -> JsonObject:
    groups: list[Json] = [MASTERS, "system:authenticated"]
    return {"status": {"userInfo": {"username": USER, "groups": groups}}}


REVIEWS: dict[str, Callable[[str, JsonObject], JsonObject]] = {
    "authentication.k8s.io/selfsubjectreviews": _self,
    "authentication.k8s.io/tokenreviews": _token,
    "authorization.k8s.io/localsubjectaccessreviews": _others_access,
    "authorization.k8s.io/selfsubjectaccessreviews": _access,
    "authorization.k8s.io/selfsubjectrulesreviews": _rules,
    "authorization.k8s.io/subjectaccessreviews": _others_access,
}
