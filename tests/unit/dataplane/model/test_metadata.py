import pytest

from inferplane import TensorMetadata
from inferplane.dataplane.model.metadata import described
from inferplane.inference.errors import InferenceError


def test_authors_may_write_tensors_as_dicts() -> None:
    tensor = TensorMetadata("x", "FP32", [-1, 2])
    assert described([tensor, {"name": "x", "datatype": "FP32", "shape": (-1, 2)}]) == [tensor, tensor]


def test_a_tensor_without_a_shape_is_the_authors_mistake() -> None:
    with pytest.raises(InferenceError, match=r"expected name, datatype and shape, got \{'name': 'x'\}"):
        described([{"name": "x"}])
