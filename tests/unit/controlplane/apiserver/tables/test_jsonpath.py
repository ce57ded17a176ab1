import pytest

from inferplane.controlplane.apiserver.tables.jsonpath import PathError, find
from inferplane.kernel.json import Json

OBJECT: Json = {
    "metadata": {"labels": {"a.b/c": "dotted"}},
    "spec": {"size": 3, "list": [1, 2, 3], "none": None},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False", "n": 5}],
        "components": {
            "predictor": {"traffic": [{"tag": "prev", "percent": 10}, {"latestRevision": True, "percent": 90}]}
        },
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.size", [3]),
        ("spec.size", [3]),
        ("{.spec.size}", [3]),
        ("$.spec.size", [3]),
        (".spec.missing.deep", []),
        (".spec.none", [None]),
        (".spec.list[0]", [1]),
        (".spec.list[-1]", [3]),
        (".spec.list[9]", []),
        (".spec.list[*]", [1, 2, 3]),
        (".status.conditions[?(@.type=='Ready')].status", ["True"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type == 'None')].status", []),
        (".status.conditions[?(@.n>4)].type", ["Other"]),
        (".status.conditions[?(@.n)].type", ["Other"]),
        (".status.components.predictor.traffic[?(@.tag=='prev')].percent", [10]),
        (".status.components.predictor.traffic[?(@.latestRevision==true)].percent", [90]),
        (".metadata.labels.a\\.b/c", ["dotted"]),
        (".metadata.labels['a.b/c']", ["dotted"]),
        ("..percent", [10, 90]),
    ],
)
def test_a_path_finds_what_kubectl_finds(path: str, found: list[Json]) -> None:
    assert find(path, OBJECT) == found


@pytest.mark.parametrize("path", [".spec[", ".a[?(@.x", "..", ".a[b]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        find(path, OBJECT)
