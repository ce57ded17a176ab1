"""Merge patch (RFC 7386)."""

import pytest

from inferplane.controlplane.apiserver.patching import PatchError, merge_patch
from inferplane.kernel.json import JsonObject


@pytest.mark.parametrize(
    ("document", "patch", "after"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ],
)
def test_objects_merge_null_removes_the_rest_replaces(
    document: JsonObject, patch: JsonObject, after: JsonObject
) -> None:
    assert merge_patch(document, patch) == after


def test_a_patch_that_is_not_an_object_is_refused() -> None:
    with pytest.raises(PatchError, match="a merge patch is an object, got list") as refused:
        merge_patch({}, [])
    assert refused.value.status == 400
