import pytest

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.strategic import CONTAINER, POD_SPEC, merged


def env(*names: str, value: str = "") -> list[Json]:
    return [{"name": name, "value": value} for name in names]


@pytest.mark.parametrize(
    ("base", "overlay", "order"),
    [
        # Recorded from a real server (Service ports merge the same way): 80 and 81 with 80 and 82 laid over.
        (["80", "81"], ["80", "82"], ["80", "82", "81"]),
        (["A", "B", "C"], ["X", "B"], ["X", "A", "B", "C"]),
        (["A", "B"], ["X"], ["X", "A", "B"]),
        (["A", "B"], ["B", "A"], ["B", "A"]),
        (["A"], [], ["A"]),
    ],
)
def test_items_of_the_overlay_keep_their_order_and_the_base_fills_in(
    base: list[str], overlay: list[str], order: list[str]
) -> None:
    laid = merged({"env": env(*base)}, {"env": env(*overlay)}, CONTAINER)["env"]
    assert isinstance(laid, list)
    assert [one["name"] for one in laid if isinstance(one, dict)] == order


def test_an_item_that_both_have_is_merged_by_field() -> None:
    base: JsonObject = {"ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}]}
    overlay: JsonObject = {"ports": [{"containerPort": 8080, "name": "web"}]}
    assert merged(base, overlay, CONTAINER) == {"ports": [{"containerPort": 8080, "name": "web", "protocol": "TCP"}]}


def test_maps_merge_lists_without_a_key_are_replaced_and_null_removes() -> None:
    base: JsonObject = {"nodeSelector": {"a": "1"}, "tolerations": [{"key": "a"}], "hostname": "h"}
    overlay: JsonObject = {"nodeSelector": {"b": "2"}, "tolerations": [{"key": "b"}], "hostname": None}
    assert merged(base, overlay, POD_SPEC) == {"nodeSelector": {"a": "1", "b": "2"}, "tolerations": [{"key": "b"}]}


def test_containers_inside_a_pod_merge_by_their_own_keys() -> None:
    base: JsonObject = {"containers": [{"name": "a", "env": env("X", value="1"), "image": "i"}]}
    overlay: JsonObject = {"containers": [{"name": "a", "env": env("Y", value="2")}]}
    both: JsonObject = {"name": "a", "image": "i", "env": [*env("Y", value="2"), *env("X", value="1")]}
    assert merged(base, overlay, POD_SPEC) == {"containers": [both]}


def test_the_arguments_are_not_changed() -> None:
    base: JsonObject = {"resources": {"limits": {"cpu": "1"}}}
    merged(base, {"resources": {"limits": {"memory": "1Gi"}}}, CONTAINER)
    assert base == {"resources": {"limits": {"cpu": "1"}}}
