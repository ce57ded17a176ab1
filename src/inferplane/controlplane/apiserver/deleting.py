"""What a DELETE does to an object: remove it now, mark it and wait, or nothing more. Pure.

Facts: k8s.io/apiserver registry/rest/delete.go (grace) and registry/generic/registry/store.go (finalizers).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from inferplane.controlplane.apiserver import objects
from inferplane.controlplane.apiserver.calls import dry_run_of
from inferplane.controlplane.apiserver.errors import StatusError, bad_request, conflict
from inferplane.controlplane.apiserver.kinds import CRD_KEY, Kind
from inferplane.kernel.clock import parse_timestamp, timestamp
from inferplane.kernel.json import Json, JsonObject, number_at, object_at, text_at

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
CRD_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
DEFAULT_GRACE = 30

# Kinds whose deletion answers with the object rather than with a Status.
SHOWN = frozenset({"/pods", "/services", "/serviceaccounts", "/persistentvolumes", "/persistentvolumeclaims"})


@dataclass(frozen=True, slots=True)
class Wish:
    """DeleteOptions. `grace` in seconds; `policy` is Background, Foreground or Orphan, or empty for the kind's own."""

    grace: int | None = None
    policy: str = ""
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


class Outcome(StrEnum):
    REMOVE = "remove"
    MARK = "mark"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Removal:
    """`object` is the state to write: the last one when it is removed."""

    outcome: Outcome
    object: JsonObject


def wish(query_grace: int | None, query_policy: str, dry_run: bool, body: JsonObject) -> Wish:
    """From the query and, where there is one, the body (which counts more). Raises 400."""
    grace = body.get("gracePeriodSeconds", query_grace)
    policy = str(body.get("propagationPolicy") or query_policy or "")
    if not policy and isinstance(body.get("orphanDependents"), bool):
        policy = "Orphan" if body["orphanDependents"] else "Background"
    if policy not in ("", "Background", "Foreground", "Orphan"):
        raise bad_request(
            f'propagationPolicy: Unsupported value: "{policy}": expected Background, Foreground or Orphan'
        )
    return Wish(
        grace=grace if isinstance(grace, int) and not isinstance(grace, bool) else None,
        policy=policy,
        uid=text_at(body, "preconditions", "uid"),
        resource_version=text_at(body, "preconditions", "resourceVersion"),
        dry_run=dry_run or dry_run_of(body),
    )


def unmet(kind: Kind, obj: JsonObject, wanted: Wish) -> StatusError | None:
    """The refusal when a precondition of the wish doesn't hold."""
    for field, given, found in (
        ("UID", wanted.uid, objects.uid(obj)),
        ("ResourceVersion", wanted.resource_version, objects.resource_version(obj)),
    ):
        if given and given != found:
            why = f"the {field} in the precondition ({given}) does not match the {field} in record ({found}). "
            return conflict(
                kind.resource, objects.name(obj), f"{why}The object might have been deleted and then recreated"
            )
    return None


def decide(kind: Kind, obj: JsonObject, wanted: Wish, now: datetime) -> Removal:
    if kind.key == "/namespaces":
        return _namespace(obj, now)
    if kind.key == CRD_KEY:
        return _definition(obj, now)
    grace = _grace(kind, obj, wanted)
    held = _finalizers(obj, wanted.policy)
    if objects.deleting(obj):
        return _again(obj, held, grace)
    if not held and not grace and kind.key != "/pods":
        return Removal(Outcome.REMOVE, obj)
    marked = _marked(obj, held, grace, now)
    return Removal(Outcome.MARK if held or grace else Outcome.REMOVE, marked)


def _grace(kind: Kind, obj: JsonObject, wanted: Wish) -> int:
    """Only Pods have grace, and only while a node may be running them."""
    if kind.key != "/pods" or not text_at(obj, "spec", "nodeName"):
        return 0
    if text_at(obj, "status", "phase") in ("Succeeded", "Failed"):
        return 0
    if wanted.grace is not None:
        return max(wanted.grace, 0) if wanted.grace >= 0 else 1
    given = object_at(obj, "spec").get("terminationGracePeriodSeconds")
    return given if isinstance(given, int) else DEFAULT_GRACE


def _finalizers(obj: JsonObject, policy: str) -> list[str]:
    found = objects.finalizers(obj)
    if policy in ("Background", "Foreground", "Orphan"):
        found = [one for one in found if one not in (ORPHAN, FOREGROUND)]
    added = {"Orphan": [ORPHAN], "Foreground": [FOREGROUND]}.get(policy, [])
    return found + added


def _marked(obj: JsonObject, held: list[str], grace: int, now: datetime) -> JsonObject:
    fields: dict[str, Json] = {
        "deletionTimestamp": timestamp(now + timedelta(seconds=grace)),
        "deletionGracePeriodSeconds": grace,
        "finalizers": list[Json](held) or None,
    }
    if objects.generation(obj):
        fields["generation"] = objects.generation(obj) + 1
    return objects.with_metadata(obj, **fields)


def _again(obj: JsonObject, held: list[str], grace: int) -> Removal:
    """A further DELETE may shorten the grace period, never lengthen it."""
    before = number_at(obj, "metadata", "deletionGracePeriodSeconds")
    shorter = min(before, grace)
    if shorter < before:
        moment = parse_timestamp(text_at(obj, "metadata", "deletionTimestamp")) - timedelta(seconds=before - shorter)
        obj = objects.with_metadata(obj, deletionTimestamp=timestamp(moment), deletionGracePeriodSeconds=shorter)
    elif held == objects.finalizers(obj):
        return Removal(Outcome.KEEP if held or before else Outcome.REMOVE, obj)
    obj = objects.with_metadata(obj, finalizers=list[Json](held) or None)
    return Removal(Outcome.MARK if held or shorter else Outcome.REMOVE, obj)


def _namespace(obj: JsonObject, now: datetime) -> Removal:
    """A namespace terminates; its controller takes `spec.finalizers` away when it is empty."""
    if objects.deleting(obj):
        return Removal(Outcome.KEEP, obj)
    marked = objects.with_metadata(obj, deletionTimestamp=timestamp(now))
    marked |= {"status": object_at(obj, "status") | {"phase": "Terminating"}}
    held = object_at(obj, "spec").get("finalizers") or objects.finalizers(obj)
    return Removal(Outcome.MARK if held else Outcome.REMOVE, marked)


def _definition(obj: JsonObject, now: datetime) -> Removal:
    """A CRD goes after its objects (see `definitions`)."""
    if objects.deleting(obj):
        return Removal(Outcome.KEEP, obj)
    held: list[Json] = list(dict.fromkeys([*objects.finalizers(obj), CRD_CLEANUP]))
    return Removal(Outcome.MARK, objects.with_metadata(obj, deletionTimestamp=timestamp(now), finalizers=held))
