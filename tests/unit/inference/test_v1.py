"""V1: bytes → payload, result → bytes."""

import datetime as dt
import math

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.inference import arrays, v1
from inferplane.inference.errors import InferenceError, InvalidInput, Malformed
from inferplane.kernel.json import Json


def rows(instances: Json) -> object:
    return v1.rows_of(v1.read_arrays(orjson.dumps({"instances": instances})))


@given(st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3), min_size=1))
def test_rows_of_floats_become_one_array_with_the_same_values(values: list[list[float]]) -> None:
    read = rows([list(row) for row in values])
    assert isinstance(read, np.ndarray)
    np.testing.assert_array_equal(read, np.array(values))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers_stay_integers(values: list[int]) -> None:
    read = rows(list(values))
    assert isinstance(read, np.ndarray)
    assert read.dtype == np.int64
    assert read.tolist() == values


def test_deeper_nesting_keeps_its_shape() -> None:
    read = rows([[[1, 2], [3, 4], [5, 6]]])
    assert isinstance(read, np.ndarray)
    assert read.shape == (1, 3, 2)


def test_null_in_a_row_is_not_a_number() -> None:
    read = rows([[1, None], [2.5, 3]])
    assert isinstance(read, np.ndarray)
    np.testing.assert_array_equal(read, np.array([[1, math.nan], [2.5, 3]]))


@pytest.mark.parametrize("instances", [["a", "b"], [{"a": 1}], [[1, "x"]], [[True, False]]])
def test_rows_that_are_not_numbers_stay_python_objects(instances: Json) -> None:
    assert rows(instances) == instances


def test_ragged_rows_are_refused_with_both_lengths() -> None:
    with pytest.raises(InvalidInput, match=r"^instances: rows differ in length: row 0 has 2 values, row 2 has 1$"):
        rows([[1, 2], [3, 4], [5]])


def test_inputs_win_over_instances_and_other_keys_are_kept() -> None:
    payload = v1.read_arrays(b'{"instances":[[1]],"inputs":[[2]],"signature_name":"s","parameters":{"a":[1]}}')
    found = v1.rows_of(payload)
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [[2]]
    assert (payload["signature_name"], payload["parameters"]) == ("s", {"a": [1]})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", 'expected a JSON object with "instances" or "inputs"'),
        (b"3", 'expected a JSON object with "instances" or "inputs"'),
        (b'{"instances":"x"}', 'Expected "instances" to be a list'),
        (b'{"inputs":1}', 'Expected "inputs" to be a list'),
        (b'{"rows":[1]}', 'expected "instances" or "inputs" in the request, got rows'),
        (b"{}", 'expected "instances" or "inputs" in the request, got no keys'),
    ],
)
def test_a_body_without_rows_says_what_is_expected(body: bytes, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        v1.rows_of(v1.read_arrays(body))
    assert str(caught.value) == message


@pytest.mark.parametrize("body", [b"", b"{", b'{"instances":[NaN]}', b'{"instances":[Infinity]}', b"\xff"])
def test_what_is_not_json_is_malformed_and_says_where(body: bytes) -> None:
    for read in (v1.read, v1.read_arrays):
        with pytest.raises(Malformed, match=r"^Unrecognized request format: .*line 1 column \d+ \(char \d+\)$"):
            read(body)


def test_a_number_beyond_64_bits_is_refused() -> None:
    with pytest.raises(Malformed, match="does not fit into 64 bits"):
        v1.read_arrays(b'{"instances":[99999999999999999999999]}')


def test_models_that_want_lists_get_python_objects() -> None:
    assert v1.read(b'{"instances":[[1,2.5]]}') == {"instances": [[1, 2.5]]}


@pytest.mark.parametrize(
    ("result", "written"),
    [
        ({"predictions": np.array([1, 1])}, b'{"predictions":[1,1]}'),
        ({"predictions": np.array([0.1, math.nan, math.inf], dtype=np.float32)}, b'{"predictions":[0.1,null,null]}'),
        ({"predictions": np.array([[1, 2], [3, 4]])[:, ::2]}, b'{"predictions":[[1],[3]]}'),
        ({"predictions": np.array(["a", "b"])}, b'{"predictions":["a","b"]}'),
        ({"predictions": [{0: np.float64(0.5)}]}, b'{"predictions":[{"0":0.5}]}'),
        ({"at": dt.datetime(2024, 5, 1, 12)}, b'{"at":"2024-05-01T12:00:00+00:00"}'),  # noqa: DTZ001  # naive on purpose
        ({"raw": b"text"}, b'{"raw":"text"}'),
    ],
)
def test_results_are_written_as_json(result: object, written: bytes) -> None:
    assert v1.write(result) == written


def test_a_data_frame_becomes_a_list_of_row_objects() -> None:
    class Frame:
        def to_dict(self, orient: str) -> list[dict[str, int]]:
            return [{"a": 1}] if orient == "records" else []

    assert v1.write({"predictions": Frame()}) == b'{"predictions":[{"a":1}]}'


def test_a_result_that_is_no_json_value_is_the_models_fault() -> None:
    with pytest.raises(InferenceError, match="cannot be written as JSON"):
        v1.write({"predictions": object()})


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b'{"inputs":{"a":[1,2],"b":["x","y"]}}', [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        (b'{"inputs":{"a":[1,2]}}', [{"a": 1}, {"a": 2}]),
        (b'{"inputs":{"x":[[1,2],[3,4]]}}', [[1, 2], [3, 4]]),
        (b'{"instances":[{"b64":"aGk="},{"b64":""}]}', [b"hi", b""]),
        (b'{"instances":[{"image":{"b64":"aGk="},"n":1}]}', [{"image": b"hi", "n": 1}]),
    ],
)
def test_rows_may_come_as_columns_and_bytes_as_base64(body: bytes, rows: object) -> None:
    assert v1.rows_of(v1.read_arrays(body)) == rows


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            b'{"inputs":{"a":[1],"b":[1,2]}}',
            "inputs: expected a list for each column, all of one length, got {'a': 1, 'b': 2}",
        ),
        (b'{"inputs":{"a":1}}', "inputs: expected a list for each column, all of one length, got {'a': None}"),
        (b'{"inputs":{}}', "inputs: expected a list for each column, all of one length, got {}"),
        (b'{"instances":[{"x":{"b64":"?"}}]}', "instances[0].x.b64: expected base64 text: "),
        (b'{"instances":[{"b64":1}]}', "instances[0].b64: expected base64 text: "),
    ],
)
def test_columns_and_base64_that_do_not_fit_say_where(body: bytes, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        v1.rows_of(v1.read_arrays(body))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "rows",
    [
        "[[1,[2]],[3,4]]",
        "[1,[2]]",
        "[[1,2],[3,[4]]]",
        "[[1.5,[[2]]],[3,4]]",
        "[[null,[2]],[3,4]]",
        "[[[1],[2]],[[3],[[4]]]]",
    ],
)
def test_a_list_that_hides_among_numbers_is_found(rows: str) -> None:
    for padding in ("", ',"s":"[["', "," + '"p":"' + " " * 5000 + '"'):
        with pytest.raises(InvalidInput, match="instances: "):
            v1.read_arrays(f'{{"instances":{rows}{padding}}}'.encode())


def test_brackets_in_texts_are_no_lists() -> None:
    payload = v1.read_arrays(b'{"instances":[[1,2]],"note":"[[[","more":[[1],[2]]}')
    assert np.array_equal(np.asarray(payload["instances"]), [[1, 2]])


def test_lists_may_be_64_deep_and_no_deeper() -> None:
    assert np.asarray(v1.read_arrays(b'{"instances":' + b"[" * 64 + b"1" + b"]" * 64 + b"}")["instances"]).ndim == 64
    with pytest.raises(InvalidInput, match="instances: lists are nested more than 64 deep"):
        v1.read_arrays(b'{"instances":' + b"[" * 65 + b"1" + b"]" * 65 + b"}")


def test_what_was_parsed_stays_while_somebody_looks_at_it() -> None:
    large = [b'{"rows":[' + b",".join([b"%d" % number] * 40_000) + b"]}" for number in (1, 2, 3)]
    found = []
    for body in large:
        root = arrays.parse(body)
        assert arrays.is_object(root)
        rows = root["rows"]
        assert arrays.is_array(rows)
        found.append(rows)
        del root
    assert [rows[39_999] for rows in found] == [1, 2, 3]
    assert [np.asarray(v1.read_arrays(body.replace(b"rows", b"inputs"))["inputs"])[0] for body in large] == [1, 2, 3]


@pytest.mark.parametrize("key", ["a\\u0000b", "\\u00e9", "\\n", ""])
def test_a_key_of_any_letters_is_a_member(key: str) -> None:
    body = f'{{"{key}": 1, "instances": [1]}}'.encode()
    assert v1.read_arrays(body).keys() == orjson.loads(body).keys()
