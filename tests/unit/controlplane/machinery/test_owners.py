from inferplane.client.kubernetes.kinds import DEPLOYMENT, NODE, REPLICA_SET
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.owners import controller_key, is_controlled_by, owner_reference
from inferplane.resources.meta import ObjectMeta, OwnerReference

OWNER = ObjectMeta(name="web", namespace="models", uid="u")


def owned_by(kind: str, api_version: str = "apps/v1", *, controller: bool = True) -> ObjectMeta:
    reference = OwnerReference(api_version=api_version, kind=kind, name="web", uid="u", controller=controller)
    return ObjectMeta(name="web-1", namespace="models", owner_references=[reference])


def test_a_controlling_owner_blocks_and_another_does_not() -> None:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u"}
    assert owner_reference(DEPLOYMENT, OWNER, controller=False) == reference
    assert owner_reference(DEPLOYMENT, OWNER) == reference | {"controller": True, "blockOwnerDeletion": True}


def test_a_dependent_leads_to_its_controller_of_the_asked_kind_and_group_only() -> None:
    assert controller_key(owned_by("Deployment"), DEPLOYMENT) == [Key("models", "web")]
    assert controller_key(owned_by("Deployment", "apps/v2"), DEPLOYMENT) == [Key("models", "web")]
    assert controller_key(owned_by("Deployment", "other/v1"), DEPLOYMENT) == []
    assert controller_key(owned_by("ReplicaSet"), DEPLOYMENT) == []
    assert controller_key(owned_by("Deployment", controller=False), DEPLOYMENT) == []
    assert controller_key(owned_by("Node", "v1"), NODE) == [Key("", "web")]
    assert controller_key(ObjectMeta(name="lone"), REPLICA_SET) == []


def test_control_is_by_uid_not_by_name() -> None:
    assert is_controlled_by(owned_by("Deployment"), OWNER)
    assert not is_controlled_by(owned_by("Deployment"), ObjectMeta(name="web", uid="other"))
