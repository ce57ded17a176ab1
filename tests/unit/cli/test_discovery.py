import pytest
from tests.unit.cli.desk import FakeServer

from inferplane.cli.discovery import UnknownKind, find, words, words_of
from inferplane.client.kubernetes.discovery import group_versions
from inferplane.kernel.json import Json, JsonObject

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


def test_the_preferred_version_of_a_group_comes_first() -> None:
    versions: list[Json] = [{"groupVersion": "g/v1alpha1"}, {"groupVersion": "g/v1"}]
    group: JsonObject = {"preferredVersion": {"groupVersion": "g/v1"}, "versions": versions}
    assert group_versions({"groups": [group]}) == [
        "g/v1",
        "g/v1alpha1",
    ]


async def test_a_kind_that_the_preferred_version_lacks_is_found_in_another() -> None:
    known = await words(FakeServer())
    assert find("clusterservingruntimes", known).api_version == "serving.kserve.io/v1alpha1"
    assert find("isvc", known).api_version == "serving.kserve.io/v1beta1"
