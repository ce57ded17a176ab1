"""Which requests a model's directory brings along."""

import json
from pathlib import Path

import pytest

from inferplane.dataplane.model.example import beside
from inferplane.inference.errors import ModelLoadError
from inferplane.kernel.json import Json

TENSOR: Json = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1, 2]}


@pytest.mark.parametrize(
    ("name", "content", "request_", "tensors"),
    [
        ("example.json", {"instances": [[1, 2]]}, {"instances": [[1, 2]]}, False),
        ("example.json", {"inputs": [TENSOR]}, {"inputs": [TENSOR]}, True),
        ("example.json", {"inputs": {"a": [1]}}, {"inputs": {"a": [1]}}, False),
        ("example.json", [[1, 2]], {"instances": [[1, 2]]}, False),
        (
            "input_example.json",
            {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]},
            {"instances": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]},
            False,
        ),
        ("input_example.json", {"data": [[1, 2]]}, {"instances": [[1, 2]]}, False),
    ],
)
def test_a_request_of_either_protocol_is_read(
    tmp_path: Path, name: str, content: Json, request_: Json, tensors: bool
) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    found = beside(tmp_path)
    assert found is not None
    assert (found.request, found.tensors, found.file) == (request_, tensors, tmp_path / name)
    assert json.loads(found.body) == request_


def test_most_models_bring_none(tmp_path: Path) -> None:
    assert beside(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", "3", '{"rows": []}'])
def test_a_file_that_is_no_request_is_named_with_the_form(tmp_path: Path, content: str) -> None:
    (tmp_path / "example.json").write_text(content)
    with pytest.raises(ModelLoadError, match=r"example\.json: not .*write it as"):
        beside(tmp_path)


@pytest.mark.parametrize("content", ["{", '{"messages": []}'])
def test_what_mlflow_wrote_for_others_is_no_mistake(tmp_path: Path, content: str) -> None:
    (tmp_path / "input_example.json").write_text(content)
    assert beside(tmp_path) is None
