import pytest

from inferplane.client.kubernetes.api import Propagation
from inferplane.controlplane.workloads.garbage.decide import Owner, Verdict, judge
from inferplane.resources.meta import ObjectMeta, OwnerReference

A, E, P, U = Owner.ABSENT, Owner.ENDING, Owner.PRESENT, Owner.UNKNOWN


@pytest.mark.parametrize(
    ("owners", "verdict"),
    [
        ([], Verdict()),
        ([P], Verdict()),
        ([A], Verdict(delete=Propagation.BACKGROUND)),
        ([A, A], Verdict(delete=Propagation.BACKGROUND)),
        ([E], Verdict(delete=Propagation.FOREGROUND)),
        ([E, A], Verdict(delete=Propagation.FOREGROUND)),
        ([P, A], Verdict(forget=["1"])),
        ([P, E], Verdict(forget=["1"])),
        ([U, A], Verdict()),
    ],
)
def test_an_object_goes_with_the_last_of_its_owners(owners: list[Owner], verdict: Verdict) -> None:
    references = [OwnerReference(uid=str(number)) for number in range(len(owners))]
    states = {str(number): state for number, state in enumerate(owners)}
    assert judge(ObjectMeta(owner_references=references), states) == verdict
