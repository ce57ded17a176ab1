import numpy as np
import pytest

from inferplane.inference.datatypes import NUMPY, Datatype, datatype_of
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import InferInput, output


def test_every_datatype_has_its_numpy_type_and_back() -> None:
    back = {datatype: datatype_of(NUMPY[datatype]) for datatype in Datatype}
    assert back == {**{d: d for d in Datatype}, Datatype.BF16: Datatype.FP32}


@pytest.mark.parametrize("dtype", ["S3", "U3", "datetime64[s]", "O"])
def test_text_dates_and_objects_are_bytes(dtype: str) -> None:
    assert datatype_of(np.dtype(dtype)) == Datatype.BYTES


def test_byte_order_does_not_matter() -> None:
    assert datatype_of(np.dtype(">i4")) == Datatype.INT32


def test_an_array_that_no_datatype_can_carry_is_refused() -> None:
    with pytest.raises(InvalidInput, match="complex128 has no datatype"):
        output("y", np.array([1j]))


def test_a_tensor_made_from_a_list_is_an_array_of_its_shape_and_type() -> None:
    array = InferInput("x", [2, 2], "FP32", [1, 2, 3, 4]).as_numpy()
    assert (array.dtype, array.tolist()) == (np.dtype("f4"), [[1, 2], [3, 4]])
    with pytest.raises(InvalidInput, match="invalid datatype XX in the input"):
        InferInput("x", [1], "XX", [1]).as_numpy()
