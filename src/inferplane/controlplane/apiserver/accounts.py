"""`POST serviceaccounts/NAME/token`: a token for a ServiceAccount, bound to a Pod where that is asked for."""

from datetime import timedelta

from inferplane.controlplane.apiserver import bodies, errors, objects, tokens
from inferplane.controlplane.apiserver.answers import plain
from inferplane.controlplane.apiserver.calls import Answer, Call
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import bad_request, conflict
from inferplane.controlplane.apiserver.tokens import ISSUER, Bearer
from inferplane.kernel.clock import timestamp
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas import FieldError

SHORTEST, LONGEST, USUAL = 600, 2**32, 3600


async def create_token(core: Core, call: Call) -> Answer:
    """Raises 404 for an account or a Pod that isn't there, 409 for another Pod of that name, 422 for a bad duration."""
    account = core.storage.require(call.kind, call.namespace, call.name).object
    spec = object_at(bodies.read_object(call.body, call.content_type).object, "spec")
    seconds = _seconds(spec.get("expirationSeconds"))
    pod, bound = _bound(core, call, object_at(spec, "boundObjectRef"))
    audiences = tuple(str(one) for one in list_at(spec, "audiences")) or (ISSUER,)
    bearer = Bearer(call.namespace, call.name, objects.uid(account), pod, bound, audiences)
    now = core.clock.now()
    token = tokens.issue(core.signing_key, bearer, now, seconds, core.names.uid())
    shown: JsonObject = {"audiences": list[Json](audiences), "expirationSeconds": seconds}
    shown["boundObjectRef"] = spec.get("boundObjectRef")
    answer: JsonObject = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": call.name, "namespace": call.namespace, "creationTimestamp": timestamp(now)},
        "spec": shown,
        "status": {"token": token, "expirationTimestamp": timestamp(now + timedelta(seconds=seconds))},
    }
    return plain(call.wanted, answer, 201)


def _seconds(given: Json) -> int:
    seconds = given if isinstance(given, int) and not isinstance(given, bool) else USUAL
    why = ""
    if seconds < SHORTEST:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > LONGEST:
        why = "may not specify a duration larger than 2^32 seconds"
    if why:
        cause = FieldError("spec.expirationSeconds", "FieldValueInvalid", f"Invalid value: {seconds}: {why}")
        raise errors.invalid("authentication.k8s.io", "TokenRequest", "", [cause])
    return seconds


def _bound(core: Core, call: Call, reference: JsonObject) -> tuple[str, str]:
    """The name and uid of the Pod that the token ends with; empty when it isn't bound."""
    if not reference:
        return "", ""
    kind, name, wanted = (text_at(reference, key) for key in ("kind", "name", "uid"))
    if kind != "Pod":
        raise bad_request(f"cannot bind token to object of type {text_at(reference, 'apiVersion')}, Kind={kind}")
    pods = core.registry.find("", "v1", "pods")
    assert pods is not None  # built in
    pod = core.storage.require(pods, call.namespace, name).object
    found = objects.uid(pod)
    if wanted and wanted != found:
        why = f"the UID in the bound object reference ({wanted}) does not match the UID in record"
        raise conflict(pods.resource, name, f"{why}. The object might have been deleted and then recreated")
    account = text_at(pod, "spec", "serviceAccountName") or "default"
    if account != call.name:
        raise bad_request(
            f"cannot bind token for serviceaccount {call.name!r} to pod running with serviceaccount {account!r}"
        )
    return name, found
