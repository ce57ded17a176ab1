import pytest

from inferplane.controlplane.apiserver import selectors
from inferplane.controlplane.apiserver.errors import StatusError
from inferplane.controlplane.apiserver.kinds import BUILT_IN, Kind
from inferplane.kernel.json import JsonObject

KINDS = {kind.key: kind for kind in BUILT_IN}
PODS, CONFIG_MAPS = KINDS["/pods"], KINDS["/configmaps"]


def labelled(**labels: str) -> JsonObject:
    return {"metadata": {"name": "x", "labels": {**labels}}}


WEB, DB, BARE = labelled(tier="web", n="5"), labelled(tier="db"), labelled()


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("", [WEB, DB, BARE]),
        ("tier", [WEB, DB]),
        ("!tier", [BARE]),
        ("tier=web", [WEB]),
        ("tier==web,n=5", [WEB]),
        ("tier!=web", [DB, BARE]),
        ("tier in (web, db)", [WEB, DB]),
        ("tier notin (web)", [DB, BARE]),
        ("n>4", [WEB]),
        ("n<4", []),
        ("tier in (web),!n", []),
        ("tier=", []),
        (" tier = web , n ", [WEB]),
    ],
)
def test_label_selectors_match_as_kubernetes_does(text: str, matched: list[JsonObject]) -> None:
    selector = selectors.parse(CONFIG_MAPS, text, "")
    assert [obj for obj in (WEB, DB, BARE) if selector.matches(obj)] == matched


@pytest.mark.parametrize("text", ["tier in web", "=web", "tier in (web", "a b", "n>x"])
def test_a_malformed_label_selector_is_400(text: str) -> None:
    with pytest.raises(StatusError) as refused:
        selectors.parse(CONFIG_MAPS, text, "")
    assert refused.value.code == 400


RUNNING: JsonObject = {"metadata": {"name": "a", "namespace": "n"}, "status": {"phase": "Running"}}
PENDING: JsonObject = {"metadata": {"name": "b", "namespace": "n"}, "spec": {"hostNetwork": True}}


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("metadata.name=a", [RUNNING]),
        ("metadata.name!=a", [PENDING]),
        ("status.phase=Running,metadata.namespace=n", [RUNNING]),
        ("spec.hostNetwork=false", [RUNNING]),
        ("spec.nodeName=", [RUNNING, PENDING]),
    ],
)
def test_field_selectors_compare_text_with_zero_values_for_what_is_absent(text: str, matched: list[JsonObject]) -> None:
    selector = selectors.parse(PODS, "", text)
    assert [obj for obj in (RUNNING, PENDING) if selector.matches(obj)] == matched


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (PODS, "spec.containers=x", "field label not supported: spec.containers"),
        (
            CONFIG_MAPS,
            "data.n=1",
            '"data.n" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
    ],
)
def test_a_field_that_can_t_be_selected_by_is_named(kind: Kind, text: str, message: str) -> None:
    with pytest.raises(StatusError) as refused:
        selectors.parse(kind, "", text)
    assert refused.value.message == message
