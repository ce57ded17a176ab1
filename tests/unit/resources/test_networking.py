"""Whose an Ingress is, by its class, the annotation of before and the default class."""

import msgspec
import pytest

from inferplane.resources.meta import ObjectMeta
from inferplane.resources.networking import Ingress, IngressClass, IngressClassSpec, IngressSpec, default_classes, whose

OURS, THEIRS = "inferplane.dev/gateway", "k8s.io/ingress-nginx"
NAMED_BY = "kubernetes.io/ingress.class"


def of(name: str, controller: str, *, default: bool = False, created: str = "") -> IngressClass:
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"} if default else {}
    meta = ObjectMeta(name=name, annotations=annotations, creation_timestamp=created or None)
    return IngressClass(metadata=meta, spec=IngressClassSpec(controller=controller))


def ingress(name: str = "", annotation: str = "") -> Ingress:
    meta = ObjectMeta(name="i", annotations={NAMED_BY: annotation} if annotation else {})
    return Ingress(metadata=meta, spec=IngressSpec(ingress_class_name=name))


CLASSES = [of("inferplane", OURS), of("nginx", THEIRS)]


@pytest.mark.parametrize(
    ("one", "classes", "who"),
    [
        (ingress("inferplane"), CLASSES, "ours"),
        (ingress("nginx"), CLASSES, "another's"),
        (ingress(annotation="nginx"), CLASSES, "another's"),
        (ingress("inferplane", annotation="nginx"), CLASSES, "ours"),
        (ingress("istio"), CLASSES, "nobody's"),
        (ingress(), CLASSES, "nobody's"),
        (ingress(), [*CLASSES, of("d", OURS, default=True)], "ours"),
        (ingress(), [*CLASSES, of("d", THEIRS, default=True)], "another's"),
        (ingress(), [of("a", OURS, default=True, created="2"), of("b", THEIRS, default=True, created="1")], "ours"),
        (ingress("nginx"), [of("d", OURS, default=True)], "nobody's"),
    ],
)
def test_the_class_says_whose_it_is(one: Ingress, classes: list[IngressClass], who: str) -> None:
    assert whose(one, classes) == who


def test_on_one_machine_kserves_class_and_none_at_all_are_ours() -> None:
    classes = [msgspec.convert(one, IngressClass) for one in default_classes()]
    assert {whose(ingress(name), classes) for name in ("", "inferplane", "istio")} == {"ours"}
