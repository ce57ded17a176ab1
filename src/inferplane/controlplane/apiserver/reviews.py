"""Reviews of access: what is asked is answered, nothing is kept.

The administrator may do everything, a ServiceAccount next to nothing (see `access`).
"""

from collections.abc import Callable

from inferplane.controlplane.apiserver import access, bodies, errors, intake
from inferplane.controlplane.apiserver.answers import plain
from inferplane.controlplane.apiserver.calls import ADMIN, Answer, Call
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import bad_request
from inferplane.controlplane.apiserver.tokens import ISSUER
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas import FieldError

MASTERS = "system:masters"


def review(core: Core, call: Call) -> Answer:
    body = bodies.read_object(call.body, call.content_type)
    obj = intake.typed(call.kind, body.object)
    metadata: JsonObject = {"namespace": call.namespace} if call.namespace else {}
    answered = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], "metadata": metadata}
    return plain(call.wanted, answered | REVIEWS[call.kind.key](core, call, obj), 201)


def _access(core: Core, call: Call, obj: JsonObject) -> JsonObject:
    spec = object_at(obj, "spec")
    if ("resourceAttributes" in spec) == ("nonResourceAttributes" in spec):
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        causes = [FieldError("spec.resourceAttributes", "FieldValueInvalid", f"Invalid value: null: {text}")]
        raise errors.invalid(call.kind.resource.group, "", "", causes)
    own = text_at(spec, "resourceAttributes", "resource") in access.OWN_REVIEWS
    return {"spec": spec, "status": {"allowed": call.user is ADMIN or own}}


def _others_access(core: Core, call: Call, obj: JsonObject) -> JsonObject:
    spec = object_at(obj, "spec")
    groups = spec.get("groups")
    masters = isinstance(groups, list) and MASTERS in groups
    return {"spec": spec, "status": {"allowed": text_at(spec, "user") == ADMIN.name or masters}}


def _rules(core: Core, call: Call, obj: JsonObject) -> JsonObject:
    if not text_at(obj, "spec", "namespace"):
        raise bad_request("no namespace on request")
    everything: list[Json] = ["*"]
    rule: JsonObject = {"verbs": everything, "apiGroups": everything, "resources": everything}
    paths: JsonObject = {"verbs": everything, "nonResourceURLs": everything}
    if call.user is not ADMIN:
        rule = {"verbs": ["create"], "apiGroups": _REVIEW_GROUPS, "resources": list[Json](access.OWN_REVIEWS)}
        paths = {"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/openapi/*"]}
    return {"spec": {}, "status": {"resourceRules": [rule], "nonResourceRules": [paths], "incomplete": False}}


_REVIEW_GROUPS: list[Json] = ["authentication.k8s.io", "authorization.k8s.io"]


def _token(core: Core, call: Call, obj: JsonObject) -> JsonObject:
    """Of a ServiceAccount's token; the administrator's own is nobody else's business."""
    spec = object_at(obj, "spec")
    bearer = access.known(core, text_at(spec, "token"), core.clock.now())
    asked = [str(one) for one in list_at(spec, "audiences")] or [ISSUER]
    meant = [one for one in asked if bearer is not None and one in bearer.audiences]
    if bearer is None or not meant:
        return {"spec": spec, "status": {"user": {}, "error": "the token is not known"}}
    user: JsonObject = {"username": bearer.username, "uid": bearer.uid, "groups": list[Json](bearer.groups)}
    return {"spec": spec, "status": {"authenticated": True, "user": user, "audiences": list[Json](meant)}}


def _self(core: Core, call: Call, obj: JsonObject) -> JsonObject:
    info: JsonObject = {"username": call.user.name, "groups": list[Json](call.user.groups)}
    if call.user.uid:
        info["uid"] = call.user.uid
    return {"status": {"userInfo": info}}


REVIEWS: dict[str, Callable[[Core, Call, JsonObject], JsonObject]] = {
    "authentication.k8s.io/selfsubjectreviews": _self,
    "authentication.k8s.io/tokenreviews": _token,
    "authorization.k8s.io/localsubjectaccessreviews": _others_access,
    "authorization.k8s.io/selfsubjectaccessreviews": _access,
    "authorization.k8s.io/selfsubjectrulesreviews": _rules,
    "authorization.k8s.io/subjectaccessreviews": _others_access,
}
