import numpy as np
import orjson
import pytest

from inferplane.inference import generate
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import InferOutput, InferResponse, TensorMetadata

TYPES = [
    TensorMetadata("text_input", "BYTES", [1]),
    TensorMetadata("seed", "UINT8", [1, 1]),
    TensorMetadata("stop", "BYTES", [-1]),
]


def test_keys_that_the_model_knows_are_tensors_and_others_parameters() -> None:
    body = orjson.dumps(
        {"id": "7", "text_input": "hi", "seed": 3, "stop": ["a", "b"], "x": 0.5, "parameters": {"y": 1}}
    )
    request = generate.read(body, "m", TYPES)
    found = {tensor.name: (tensor.datatype, list(tensor.shape), tensor.view().tolist()) for tensor in request.inputs}
    assert found == {
        "text_input": ("BYTES", [1], ["hi"]),
        "seed": ("UINT8", [1, 1], [[3]]),
        "stop": ("BYTES", [2], ["a", "b"]),
    }
    assert (request.id, request.parameters) == ("7", {"x": 0.5, "y": 1})


@pytest.mark.parametrize(
    ("value", "datatype"),
    [("a", "BYTES"), (True, "BOOL"), (1, "INT64"), (1.5, "FP64"), ([1, 2.5], "FP64"), (["a"], "BYTES")],
)
def test_without_types_the_value_decides(value: object, datatype: str) -> None:
    assert generate.read(orjson.dumps({"x": value}), "m", []).inputs[0].datatype == datatype


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"text_input": ["a", "b"]}, r"text_input: cannot reshape array of size 2 into shape \(1,\)"),
        ({"text_input": "a", "seed": 300}, "seed: "),
        ({"text_input": "a", "seed": True}, "seed: expected a value of UINT8, or a list of them"),
        ({"x": 1}, "text_input: required field is missing, got x"),
    ],
)
def test_values_that_do_not_fit_are_named(body: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        generate.read(orjson.dumps(body), "m", TYPES)


def test_an_output_is_told_as_its_value_or_as_a_list() -> None:
    request = generate.read(b'{"text_input":"a"}', "m", TYPES)
    outputs = [InferOutput("text_output", [1], "BYTES", [b"hi"]), InferOutput("scores", [2], "FP32", [0.5, 1.0])]
    response = InferResponse("", "m", outputs, parameters={"k": 1})
    assert orjson.loads(generate.write(response, request)) == {
        "model_name": "m",
        "model_version": "1",
        "k": 1,
        "text_output": "hi",
        "scores": [0.5, 1.0],
    }
    assert np.array_equal(request.inputs[0].view(), ["a"])
