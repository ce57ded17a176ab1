import numpy as np
import pytest

from inferplane import InferInput, InferRequest, InferResponse, get_predict_input, get_predict_response
from inferplane.inference.errors import InvalidInput


def request(*inputs: InferInput, **parameters: str) -> InferRequest:
    return InferRequest("m", list(inputs), "7", parameters=parameters)


def test_v1_rows_become_an_array_and_inputs_win() -> None:
    found = get_predict_input({"instances": [[9]], "inputs": [[1, 2], [3, 4]]})
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [[1, 2], [3, 4]]


def test_texts_stay_a_list() -> None:
    assert get_predict_input({"instances": ["a", "b"]}) == ["a", "b"]
    assert get_predict_input(request(InferInput("x", [2], "BYTES", ["a", "b"]))) == ["a", "b"]


@pytest.mark.parametrize(
    "instances",
    [
        [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
        [{"a": [1], "b": ["x"]}, {"a": [2], "b": ["y"]}],
        [[{"a": 1, "b": "x"}], [{"a": 2, "b": "y"}]],
    ],
)
def test_records_become_a_frame(instances: list[object]) -> None:
    pytest.importorskip("pandas")
    frame = get_predict_input({"instances": instances})
    assert frame.to_dict(orient="list") == {"a": [1, 2], "b": ["x", "y"]}  # type: ignore[union-attr]  # a data frame


def test_v2_takes_the_first_input_or_all_as_columns() -> None:
    tensors = InferInput("a", [2], "FP32", [1, 2]), InferInput("b", [2], "BYTES", ["x", "y"])
    found = get_predict_input(request(*tensors))
    assert isinstance(found, np.ndarray)
    assert (found.dtype, found.tolist()) == (np.float32, [1, 2])
    pytest.importorskip("pandas")
    assert list(get_predict_input(request(*tensors, content_type="pd"))) == ["a", "b"]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({}, 'expected "instances" or "inputs" in the request, got no keys'),
        ({"instances": [[1], [1, 2]]}, "instances: setting an array element with a sequence"),
        ([1], "unsupported payload type <class 'list'>"),
        (request(), "inputs: expected at least one input, got none"),
    ],
)
def test_what_has_no_rows_is_the_clients_mistake(payload: object, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        get_predict_input(payload)


def test_a_v1_answer_is_predictions() -> None:
    assert get_predict_response({"instances": []}, np.array([1.5]), "m") == {"predictions": [1.5]}
    assert get_predict_response({"instances": []}, ["a"], "m") == {"predictions": ["a"]}


def test_a_v2_answer_has_the_results_type_and_the_requests_id() -> None:
    answer = get_predict_response(request(), np.array([[1, 2]], dtype=np.int32), "m")
    assert isinstance(answer, InferResponse)
    only = answer.outputs[0]
    assert (answer.id, only.name, only.datatype, only.shape, only.data) == ("7", "output-0", "INT32", [1, 2], [1, 2])


@pytest.mark.parametrize("labels", [["a", "ü"], np.array(["a", "ü"]), np.array(["a", "ü"], dtype=object)])
def test_labels_are_bytes(labels: object) -> None:
    answer = get_predict_response(request(), labels, "m")
    assert isinstance(answer, InferResponse)
    assert (answer.outputs[0].datatype, answer.outputs[0].data) == ("BYTES", ["a", "ü"])


def test_a_frame_is_one_output_a_column() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"n": [1, 2], "s": ["x", "y"]})
    assert get_predict_response({}, frame, "m") == {"predictions": [{"n": 1, "s": "x"}, {"n": 2, "s": "y"}]}
    answer = get_predict_response(request(), frame, "m")
    assert isinstance(answer, InferResponse)
    assert [(one.name, one.datatype) for one in answer.outputs] == [("n", "INT64"), ("s", "BYTES")]
