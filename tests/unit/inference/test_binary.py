"""Tensors as bytes: the layout, and bytes that lie."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inferplane.inference import binary
from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.errors import InvalidInput

NUMBERS = [datatype for datatype in Datatype if datatype not in (Datatype.BYTES, Datatype.BF16)]


@pytest.mark.parametrize("datatype", NUMBERS)
@given(st.data())
def test_every_number_survives(datatype: Datatype, data: st.DataObject) -> None:
    values = data.draw(hnp.arrays(NUMPY[datatype], hnp.array_shapes(min_side=0, max_side=4)))
    back = binary.array(bytes(binary.raw(values, datatype)), datatype, values.shape, "x")
    assert back.dtype == values.dtype
    np.testing.assert_array_equal(back, values)


@given(st.lists(st.binary(max_size=20)))
def test_every_byte_string_survives(elements: list[bytes]) -> None:
    values = np.empty(len(elements), dtype=object)
    values[:] = elements
    assert binary.array(binary.raw(values, "BYTES"), "BYTES", [len(elements)], "x").tolist() == elements


def test_the_layout_is_little_endian_and_row_major() -> None:
    assert bytes(binary.raw(np.array([[1, 2]], dtype=">i4"), "INT32")) == bytes.fromhex("0100000002000000")
    columns = np.array([[1, 2], [3, 4]], dtype=np.uint8, order="F")
    assert bytes(binary.raw(columns, "UINT8")) == b"\1\2\3\4"
    assert bytes(binary.raw(np.array([True, False]), "BOOL")) == b"\1\0"
    assert bytes(binary.raw(np.array(["é", b"\xff"], dtype=object), "BYTES")) == b"\2\0\0\0\xc3\xa9\1\0\0\0\xff"
    assert bytes(binary.raw(np.array(["ab", "c"]), "BYTES")) == b"\2\0\0\0ab\1\0\0\0c"
    assert bytes(binary.raw(np.array(["2026-01-02"], dtype="datetime64[D]"), "BYTES")) == b"\x0a\0\0\x002026-01-02"


@pytest.mark.parametrize(
    ("value", "upper_half"),
    [(1.0, 0x3F80), (-2.5, 0xC020), (1.00390625, 0x3F80), (1.01171875, 0x3F82), (float("inf"), 0x7F80), (0.0, 0)],
)
def test_bf16_is_a_float32_rounded_to_its_upper_half_ties_to_even(value: float, upper_half: int) -> None:
    assert bytes(binary.raw(np.array([value], dtype=np.float32), "BF16")) == struct.pack("<H", upper_half)


def test_bf16_reads_as_the_float32_that_it_is_and_a_nan_stays_one() -> None:
    assert binary.array(b"\x20\xc0\x80\x3f", "BF16", [2], "x").tolist() == [-2.5, 1.0]
    tiny_nan = np.array([0x7F800001], dtype=np.uint32).view(np.float32)
    assert np.isnan(binary.array(binary.raw(tiny_nan, "BF16"), "BF16", [1], "x")).all()


@given(st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False))
def test_bf16_is_off_by_at_most_one_part_in_256(value: float) -> None:
    if abs(value) < 3.38e38:  # above that the nearest BF16 is infinity
        (back,) = binary.array(binary.raw(np.array([value], dtype=np.float32), "BF16"), "BF16", [1], "x").tolist()
        assert abs(float(back) - value) <= abs(value) / 256


def test_an_array_shares_the_bodys_memory() -> None:
    body = b"head" + bytes(8)
    array = binary.array(memoryview(body)[4:], "INT64", [1], "x")
    assert not array.flags.owndata
    assert not array.flags.writeable


@pytest.mark.parametrize(
    ("data", "datatype", "shape", "message"),
    [
        (bytes(7), "FP32", [2], "x: expected a multiple of 4 bytes for FP32, got 7"),
        (bytes(3), "BF16", [1], "x: expected a multiple of 2 bytes for BF16, got 3"),
        (bytes(8), "FP32", [3], "x: binary data does not fill the shape [3]: got 8 bytes of FP32"),
        (bytes(12), "FP32", [-1, 2], "x: binary data does not fill the shape [-1, 2]: got 12 bytes of FP32"),
        (b"\1\0\0", "BYTES", [1], "x: the length of element 0 is cut off at byte 0"),
        (b"\1\0\0\0a\5\0\0\0b", "BYTES", [2], "x: element 1 says it has 5 bytes, and 1 are left"),
        (b"\1\0\0\0a", "BYTES", [2], "x: binary data does not fill the shape [2]: got 1 elements"),
        (b"", "FP32", [0, 2**62, 2**62], "x: no array has the shape"),
    ],
)
def test_bytes_that_do_not_fit_are_refused_in_words(data: bytes, datatype: str, shape: list[int], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        binary.array(data, datatype, shape, "x")
    assert str(caught.value).startswith(message)


def test_one_dimension_may_be_what_is_left() -> None:
    assert binary.array(bytes(12), "INT16", [-1, 3], "x").shape == (2, 3)


def test_text_is_text_only_when_all_of_it_is() -> None:
    assert binary.text(np.array([b"a", "b"], dtype=object)) == ["a", "b"]
    assert binary.text(np.array([b"a", b"\xff"], dtype=object)) == [b"a", b"\xff"]
