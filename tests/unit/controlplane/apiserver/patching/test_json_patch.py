"""JSON patch: each operation, failing tests, bad paths."""

import pytest

from inferplane.controlplane.apiserver.patching import PatchError, json_patch
from inferplane.kernel.json import Json, JsonObject

MAP: JsonObject = {"data": {"x": "1", "y": "2"}, "list": ["a", "b"]}


@pytest.mark.parametrize(
    ("operations", "after"),
    [
        ([{"op": "add", "path": "/data/z", "value": "3"}], {"data": {"x": "1", "y": "2", "z": "3"}}),
        ([{"op": "replace", "path": "/data/x", "value": "9"}], {"data": {"x": "9", "y": "2"}}),
        ([{"op": "remove", "path": "/data/y"}], {"data": {"x": "1"}}),
        ([{"op": "copy", "from": "/data/x", "path": "/data/w"}], {"data": {"x": "1", "y": "2", "w": "1"}}),
        ([{"op": "move", "from": "/data/x", "path": "/data/v"}], {"data": {"y": "2", "v": "1"}}),
        ([{"op": "test", "path": "/data/x", "value": "1"}], {"data": {"x": "1", "y": "2"}}),
        ([{"op": "test", "path": "/data/none", "value": None}], {"data": {"x": "1", "y": "2"}}),
        ([{"op": "add", "path": "/data/a~1b~0c", "value": ""}], {"data": {"x": "1", "y": "2", "a/b~c": ""}}),
        ([{"op": "add", "path": "/list/-", "value": "c"}], {"list": ["a", "b", "c"]}),
        ([{"op": "add", "path": "/list/0", "value": "c"}], {"list": ["c", "a", "b"]}),
        ([{"op": "remove", "path": "/list/0"}], {"list": ["b"]}),
        ([{"op": "replace", "path": "/list/1", "value": 1}], {"list": ["a", 1]}),
        ([{"op": "replace", "path": "", "value": {"only": 1}}, {"op": "remove", "path": "/only"}], {}),
        ([], {}),
    ],
)
def test_an_operation_changes_what_it_points_at(operations: Json, after: JsonObject) -> None:
    result = json_patch(MAP, operations)
    assert {key: result[key] for key in after} == after


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ({"op": "add"}, 400),
        (["add"], 400),
        ([{"op": "fly", "path": "/data"}], 422),
        ([{"op": "remove", "path": "/data/none"}], 422),
        ([{"op": "replace", "path": "/nope/deep", "value": 1}], 422),
        ([{"op": "replace", "path": "/data/none", "value": 1}], 422),
        ([{"op": "test", "path": "/data/x", "value": "no"}], 422),
        ([{"op": "test", "path": "/list", "value": ["a"]}], 422),
        ([{"op": "add", "path": "/list/3", "value": 1}], 422),
        ([{"op": "add", "path": "/list/x", "value": 1}], 422),
        ([{"op": "add", "path": "/data/x/deep", "value": 1}], 422),
        ([{"op": "add", "path": "/data/z"}], 422),
        ([{"op": "add", "path": "data", "value": 1}], 422),
        ([{"op": "move", "from": "/data", "path": "/data/x"}], 422),
        ([{"op": "remove", "path": ""}, {"op": "add", "path": "", "value": 1}], 422),
        ([{"op": "test", "path": "/data", "value": {}}] * 10_001, 413),
    ],
)
def test_what_cannot_be_done_is_refused(operations: Json, status: int) -> None:
    with pytest.raises(PatchError) as refused:
        json_patch(MAP, operations)
    assert refused.value.status == status


def test_the_document_that_came_in_stays_as_it_was() -> None:
    with pytest.raises(PatchError, match=r"\[1\] remove: no such member: none"):
        json_patch(MAP, [{"op": "remove", "path": "/data/x"}, {"op": "remove", "path": "/data/none"}])
    assert MAP["data"] == {"x": "1", "y": "2"}
