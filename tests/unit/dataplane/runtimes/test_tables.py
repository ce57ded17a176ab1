"""Named columns out of records and tensors."""

import numpy as np
import pytest

from inferplane import InferInput, InferRequest, InvalidInput
from inferplane.dataplane.runtimes import tables
from inferplane.kernel.json import Json


@pytest.mark.parametrize(
    ("records", "columns"),
    [
        ([{"a": 1, "b": "x"}, {"b": "y", "a": 2}], {"a": [1, 2], "b": ["x", "y"]}),
        ([{"a": [1, 2], "b": [3, 4]}, {"a": [5], "b": [6]}], {"a": [1, 2, 5], "b": [3, 4, 6]}),
        ([{"a": {"0": 1}, "b": {"0": 2}}], {"a": [1], "b": [2]}),
        ([[{"a": 1}, {"a": 2}], [{"a": 3}]], {"a": [1, 2, 3]}),
    ],
)
def test_each_form_of_records_gives_one_list_a_column(records: list[Json], columns: dict[str, list[Json]]) -> None:
    found = tables.records_of(records)
    assert found is not None
    assert tables.columns_of_records(found) == columns


@pytest.mark.parametrize("rows", [[[1, 2]], ["a"], [], [{"a": 1}, [1]]])
def test_rows_without_names_are_no_records(rows: list[Json]) -> None:
    assert tables.records_of(rows) is None


def test_ragged_records_have_null_where_they_lack_a_column() -> None:
    assert tables.columns_of_records([{"a": [1, 2]}, {"b": 3}], ragged=True) == {
        "a": [1, 2, None],
        "b": [None, None, 3],
    }


def test_tensors_are_columns_whatever_their_type() -> None:
    request = InferRequest(
        "m", [InferInput("n", [2, 1], "INT64", [1, 2]), InferInput("t", [2], "BYTES", np.array([b"x", "y"], object))]
    )
    found = tables.columns_of_tensors(request)
    assert {name: list(column) for name, column in found.items()} == {"n": [1, 2], "t": ["x", "y"]}


@pytest.mark.parametrize(("shape", "length"), [([1, 2], 2), ([2, 2], 4)])
def test_a_tensor_that_is_no_column_is_refused_by_name(shape: list[int], length: int) -> None:
    request = InferRequest("m", [InferInput("wide", shape, "FP32", [0.0] * length)])
    with pytest.raises(InvalidInput, match=r"input wide: expected one column, shape \[rows\] or \[rows, 1\], got"):
        tables.columns_of_tensors(request)


def test_columns_of_different_length_are_refused() -> None:
    request = InferRequest("m", [InferInput(name, [n], "FP32", [0.0] * n) for name, n in (("a", 1), ("b", 2))])
    with pytest.raises(InvalidInput, match=r"inputs: columns differ in length: {'a': 1, 'b': 2}"):
        tables.columns_of_tensors(request)


@pytest.mark.parametrize(
    ("content_type", "known", "wanted"),
    [("pd", [], True), ("", ["a", "b", "c"], True), ("", ["a"], False), ("np", [], False)],
)
def test_inputs_are_columns_when_said_so_or_named_like_them(content_type: str, known: list[str], wanted: bool) -> None:
    inputs = [InferInput(name, [1], "FP32", [0.0]) for name in ("a", "b")]
    request = InferRequest("m", inputs, parameters={"content_type": content_type} if content_type else None)
    assert tables.is_table(request, known) is wanted


def test_numbers_are_floats_and_null_is_a_missing_value() -> None:
    assert np.array_equal(tables.numbers([[1, None], [True, 2.5]], "x"), [[1, np.nan], [1, 2.5]], equal_nan=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1, "2"]], r"^instances\[0\]\[1\]: expected a number, got '2'$"),
        ([[1, 2], [3]], r"^instances.*: expected a number, got \[1, 2\]$|rows differ in length"),
        ([10**400], r"^instances: int too large"),
    ],
)
def test_what_is_no_number_is_named(values: list[Json], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        tables.numbers(values, "instances")


def test_missing_and_unknown_columns_are_named_together() -> None:
    with pytest.raises(InvalidInput, match=r"^columns are missing: b; columns are unknown: B; the model has a, b$"):
        tables.check_columns({"a": [1], "B": [2]}, ["a", "b"])


def test_a_text_that_is_not_utf8_is_refused_by_name() -> None:
    request = InferRequest("m", [InferInput("t", [1], "BYTES", np.array([b"\xff"], object))])
    with pytest.raises(InvalidInput, match=r"^input t: expected UTF-8, got '\ufffd'$"):
        tables.columns_of_tensors(request)
