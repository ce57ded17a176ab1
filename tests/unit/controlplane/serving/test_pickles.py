"""The annotation that allows pickles more becomes a variable of the containers."""

from inferplane.controlplane.serving.pickles import ANNOTATION, VARIABLE, told
from inferplane.kernel.json import JsonObject


def test_every_container_is_told_what_its_pickles_may_use() -> None:
    pod: JsonObject = {"containers": [{"name": "a"}, {"name": "b", "env": [{"name": "X", "value": "1"}]}]}
    variable = {"name": VARIABLE, "value": "mymodule.*"}
    assert told(pod, {ANNOTATION: "mymodule.*"}) == {
        "containers": [
            {"name": "a", "env": [variable]},
            {"name": "b", "env": [{"name": "X", "value": "1"}, variable]},
        ]
    }


def test_a_containers_own_variable_stays() -> None:
    pod: JsonObject = {"containers": [{"name": "a", "env": [{"name": VARIABLE, "value": "ALL"}]}]}
    assert told(pod, {ANNOTATION: "mymodule.*"}) == pod


def test_without_the_annotation_the_pod_is_as_it_was() -> None:
    pod: JsonObject = {"containers": [{"name": "a"}]}
    assert told(pod, {}) is pod
