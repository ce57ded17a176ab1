from typing import Any

import numpy as np
import pytest

from inferplane.inference.errors import InferenceError, InvalidInput
from inferplane.inference.tensorflow import tensorflow_serving_pb2 as pb
from inferplane.inference.tensorflow.tensors import read, write

FLOAT, DOUBLE, INT32, STRING, INT64, BOOL, BFLOAT16, HALF, COMPLEX = 1, 2, 3, 7, 9, 10, 14, 19, 8


def tensor(dtype: int, *shape: int, **values: Any) -> pb.Tensor:
    message = pb.Tensor(dtype=dtype, **values)
    message.tensor_shape.dim.extend(pb.TensorShape.Dim(size=size) for size in shape)
    return message


@pytest.mark.parametrize(
    "values",
    [
        np.array([[1.5, -2.0], [0.1, np.inf]], np.float32),
        np.array([1e300, -0.0]),
        np.arange(6, dtype=np.int8).reshape(2, 3),
        np.array([2**31 - 1, -(2**31)], np.int32),
        np.array([-(2**63), 2**63 - 1]),
        np.array([0, 2**64 - 1], np.uint64),
        np.array([65535], np.uint16),
        np.array([True, False]),
        np.array([0.5, -65504], np.float16),
        np.array([b"a", b"\xff\x00"], dtype=object),
        np.array(3.0, np.float32),
        np.zeros((0, 3), np.float32),
    ],
    ids=lambda values: f"{values.dtype}{list(values.shape)}",
)
def test_what_is_written_is_read_again(values: np.ndarray) -> None:
    found = read(pb.Tensor.FromString(write(values, "y").SerializeToString()), "inputs[x]")
    assert (found.dtype, found.shape, found.tolist()) == (values.dtype, values.shape, values.tolist())


def test_texts_go_out_as_utf_8() -> None:
    assert list(write(np.array(["ä"], dtype=object), "y").string_val) == ["ä".encode()]


def test_values_may_come_as_bytes() -> None:
    content = np.array([[1, 2], [3, 4]], "<i4").tobytes()
    assert read(tensor(INT32, 2, 2, tensor_content=content), "x").tolist() == [[1, 2], [3, 4]]
    assert read(tensor(BFLOAT16, 1, tensor_content=b"\xc0\x3f"), "x").tolist() == [1.5]


def test_the_last_value_stands_for_those_that_are_missing() -> None:
    assert read(tensor(FLOAT, 2, 2, float_val=[1.0, 2.0]), "x").tolist() == [[1.0, 2.0], [2.0, 2.0]]
    assert read(tensor(STRING, 3, string_val=[b"a"]), "x").tolist() == [b"a"] * 3
    assert read(tensor(BFLOAT16, 2, half_val=[0x3FC0]), "x").tolist() == [1.5, 1.5]
    assert read(tensor(HALF, 1, half_val=[0x3E00]), "x").tolist() == [1.5]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (tensor(COMPLEX, 1), "inputs[x].dtype: DT_COMPLEX64 is not taken"),
        (tensor(0, 1), "inputs[x].dtype: DT_INVALID is not taken"),
        (tensor(FLOAT, -1), "inputs[x].tensor_shape: expected sizes of 0 or more, got [-1]"),
        (tensor(FLOAT, 2, tensor_content=b"abc"), "inputs[x].tensor_content: 3 bytes do not fill the shape [2]"),
        (tensor(FLOAT, 1, float_val=[1.0, 2.0]), "inputs[x]: 2 values in float_val for the shape [1]"),
        (tensor(FLOAT, 1), "inputs[x]: 0 values in float_val for the shape [1]"),
        (tensor(FLOAT, 1 << 40, float_val=[1.0]), "inputs[x]: 1 values are too few for the shape [1099511627776]"),
        (tensor(STRING, 1, tensor_content=b"\x01a"), "inputs[x].tensor_content: strings are taken in string_val"),
        (tensor(6, 1, int_val=[200]), "inputs[x].int_val: a value does not fit INT8"),
    ],
)
def test_what_is_no_tensor_is_named(message: pb.Tensor, words: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(message, "inputs[x]")
    assert str(raised.value) == words


def test_an_output_without_a_type_is_the_models_fault() -> None:
    with pytest.raises(InferenceError, match="output y: numpy's complex128 has no type"):
        write(np.array([1j]), "y")
