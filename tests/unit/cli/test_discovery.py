import pytest

from inferplane.cli.discovery import UnknownKind, find, words_of
from inferplane.kernel.json import JsonObject

SERVING: JsonObject = {
    "groupVersion": "serving.kserve.io/v1beta1",
    "resources": [
        {
            "name": "inferenceservices",
            "singularName": "inferenceservice",
            "shortNames": ["isvc"],
            "kind": "InferenceService",
            "namespaced": True,
        },
        {"name": "inferenceservices/status", "kind": "InferenceService", "namespaced": True},
    ],
}
CORE: JsonObject = {
    "groupVersion": "v1",
    "resources": [
        {"name": "namespaces", "singularName": "", "shortNames": ["ns"], "kind": "Namespace", "namespaced": False},
        {"name": "services", "singularName": "service", "shortNames": ["svc"], "kind": "Service", "namespaced": True},
    ],
}
KNATIVE: JsonObject = {
    "groupVersion": "serving.knative.dev/v1",
    "resources": [{"name": "services", "singularName": "service", "kind": "Service", "namespaced": True}],
}
KNOWN = [*words_of(CORE), *words_of(SERVING), *words_of(KNATIVE)]


@pytest.mark.parametrize(
    "word", ["isvc", "inferenceservice", "inferenceservices", "InferenceService", "inferenceservices.serving.kserve.io"]
)
def test_a_kind_goes_by_all_of_its_names(word: str) -> None:
    found = find(word, KNOWN)
    assert (found.group, found.version, found.plural) == ("serving.kserve.io", "v1beta1", "inferenceservices")
    assert found.namespaced


def test_subresources_are_no_kinds() -> None:
    assert len(words_of(SERVING)) == 1


def test_of_two_kinds_with_one_name_the_core_group_s_is_meant_unless_the_group_is_named() -> None:
    assert find("services", KNOWN).group == ""
    assert find("services.serving.knative.dev", KNOWN).group == "serving.knative.dev"
    assert find("services.v1.serving.knative.dev", KNOWN).group == "serving.knative.dev"


def test_a_cluster_kind_is_known_as_one() -> None:
    assert not find("ns", KNOWN).namespaced


def test_a_word_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(UnknownKind, match=r'there is no kind "isvcs": did you mean isvc\?'):
        find("isvcs", KNOWN)
