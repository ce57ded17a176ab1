"""Revisions of a Deployment: one ReplicaSet for each pod template it ever had, numbered. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from inferplane.client.kubernetes.kinds import DEPLOYMENT
from inferplane.controlplane.machinery.owners import owner_reference
from inferplane.kernel.json import Json, JsonObject, object_at
from inferplane.resources.apps import Deployment, ReplicaSet
from inferplane.resources.meta import LabelSelectorRequirement

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"

# Annotations of the Deployment that its ReplicaSets don't inherit.
_OWN = {REVISION, HISTORY, DESIRED, MAXIMUM, "kubectl.kubernetes.io/last-applied-configuration"}
# No vowels and no look-alikes, so that a hash never spells a word (apimachinery `rand.SafeEncodeString`).
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class Revision:
    """A ReplicaSet of the Deployment, with its pod template as stored."""

    replica_set: ReplicaSet
    template: JsonObject

    @property
    def number(self) -> int:
        text = self.replica_set.metadata.annotations.get(REVISION, "")
        return int(text) if text.isdigit() else 0

    @property
    def name(self) -> str:
        return self.replica_set.metadata.name

    @property
    def replicas(self) -> int:
        return self.replica_set.spec.replicas

    @property
    def available(self) -> int:
        return self.replica_set.status.available_replicas

    @property
    def age(self) -> tuple[str, str]:
        """Sorts the oldest first."""
        return (self.replica_set.metadata.creation_timestamp or "", self.name)


def template_hash(template: JsonObject, collisions: int = 0) -> str:
    text = orjson.dumps(_plain(template), option=orjson.OPT_SORT_KEYS) + b"#%d" % collisions
    digest = hashlib.blake2b(text, digest_size=10).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)


def current(template: JsonObject, revisions: Iterable[Revision]) -> Revision | None:
    """The ReplicaSet of this template; the oldest one should there be several."""
    wanted = _plain(template)
    return min((one for one in revisions if _plain(one.template) == wanted), key=lambda one: one.age, default=None)


def next_number(old: Sequence[Revision]) -> int:
    return max((one.number for one in old), default=0) + 1


def new_replica_set(deployment: Deployment, template: JsonObject, number: int, replicas: int, most: int) -> JsonObject:
    """The ReplicaSet to create for the Deployment's present template."""
    mark = template_hash(template, deployment.status.collision_count or 0)
    name = f"{deployment.metadata.name}-{mark}"
    selector = deployment.spec.selector
    expressions = [_expression(one) for one in selector.match_expressions]
    wanted: JsonObject = {"matchLabels": {**selector.match_labels, HASH_LABEL: mark}}
    spec: JsonObject = {
        "replicas": replicas,
        "selector": wanted | ({"matchExpressions": [*expressions]} if expressions else {}),
        "template": _marked(template, mark),
    }
    if deployment.spec.min_ready_seconds:
        spec["minReadySeconds"] = deployment.spec.min_ready_seconds
    metadata: JsonObject = {
        "name": name,
        "namespace": deployment.metadata.namespace,
        "labels": object_at(template, "metadata", "labels") | {HASH_LABEL: mark},
        "annotations": {**inherited(deployment, {}, number), **sized(deployment, most)},
        "ownerReferences": [owner_reference(DEPLOYMENT, deployment.metadata)],
    }
    return {"metadata": metadata, "spec": spec}


def _expression(requirement: LabelSelectorRequirement) -> Json:
    body: JsonObject = {"key": requirement.key, "operator": requirement.operator}
    return body | ({"values": [*requirement.values]} if requirement.values else {})


def inherited(deployment: Deployment, present: dict[str, str], number: int) -> dict[str, str]:
    """A ReplicaSet's annotations with those of the Deployment and its revision number brought up to date."""
    theirs = {k: v for k, v in deployment.metadata.annotations.items() if k not in _OWN}
    result = {**present, **theirs, REVISION: str(number)}
    before = present.get(REVISION)
    if before is not None and before != str(number):
        # A rollback gives an old ReplicaSet a new number; its former ones stay on record.
        result[HISTORY] = ",".join([*filter(None, present.get(HISTORY, "").split(",")), before])
    return result


def sized(deployment: Deployment, most: int) -> JsonObject:
    """Annotations that say what a ReplicaSet was sized for: they tell a scaled Deployment from a changed one."""
    return {DESIRED: str(deployment.spec.replicas), MAXIMUM: str(most)}


def beyond_history(deployment: Deployment, old: Sequence[Revision]) -> Sequence[Revision]:
    """Old revisions that nothing runs of any more, except the newest `revisionHistoryLimit`."""
    empty = [one for one in old if _is_empty(one.replica_set)]
    surplus = len(empty) - deployment.spec.revision_history_limit
    return sorted(empty, key=lambda one: one.number)[: max(0, surplus)]


def _is_empty(replica_set: ReplicaSet) -> bool:
    settled = replica_set.status.observed_generation >= replica_set.metadata.generation
    return settled and not (replica_set.spec.replicas or replica_set.status.replicas or replica_set.metadata.deleting)


def _plain(template: JsonObject) -> JsonObject:
    """The template without the hash label, in which the ReplicaSet's differs from the Deployment's."""
    metadata = object_at(template, "metadata")
    labels = {k: v for k, v in object_at(metadata, "labels").items() if k != HASH_LABEL}
    rest = {k: v for k, v in metadata.items() if k not in ("labels", "creationTimestamp")}
    return template | {"metadata": rest | ({"labels": labels} if labels else {})}


def _marked(template: JsonObject, mark: str) -> JsonObject:
    metadata = object_at(template, "metadata")
    return template | {"metadata": metadata | {"labels": object_at(metadata, "labels") | {HASH_LABEL: mark}}}
