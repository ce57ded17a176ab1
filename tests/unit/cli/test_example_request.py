"""The request of `inferplane predict NAME --example`, from what a server tells of itself."""

import pytest

from inferplane.cli.example_request import described, made
from inferplane.dataplane.server.http.endpoints import Body
from inferplane.dataplane.server.http.openapi import document
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject

REQUEST: JsonObject = {"instances": [[1, 2]]}
TENSORS: JsonObject = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}


@pytest.mark.parametrize(("body", "request_"), [(Body.V1, REQUEST), (Body.V2, TENSORS)])
def test_the_models_own_example_is_found_in_the_description(body: Body, request_: JsonObject) -> None:
    told = document("1", {body: {"m": request_}})
    assert described(told, "m") == request_
    assert described(told, "other") is None


def test_a_server_without_a_description_has_no_example() -> None:
    assert described({}, "m") is None


def test_without_an_example_zeros_have_the_shapes_of_the_metadata() -> None:
    inputs: list[JsonObject] = [
        {"name": "a", "datatype": "FP32", "shape": [-1, 3]},
        {"name": "b", "datatype": "BYTES", "shape": [-1]},
        {"name": "c", "datatype": "BOOL", "shape": [2]},
    ]
    assert made({"inputs": [*inputs]}, "m") == {
        "inputs": [
            {"name": "a", "shape": [1, 3], "datatype": "FP32", "data": [0, 0, 0]},
            {"name": "b", "shape": [1], "datatype": "BYTES", "data": [""]},
            {"name": "c", "shape": [2], "datatype": "BOOL", "data": [False, False]},
        ]
    }


def test_a_model_that_tells_nothing_is_asked_with_a_request_of_ones_own() -> None:
    with pytest.raises(InferplaneError, match=r"m has no example.*example\.json"):
        made({}, "m")
