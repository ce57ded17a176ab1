"""scikit-learn models: files in, predictions out."""

import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LinearRegression
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from inferplane import InferInput, InferRequest, InferResponse, InvalidInput
from inferplane.dataplane.runtimes.options import DEFAULTS, RuntimeOptions
from inferplane.dataplane.runtimes.sklearn import SKLearnModel
from inferplane.inference import v1
from inferplane.inference.errors import InferenceError, ModelLoadError, ModelMissingError
from inferplane.inference.tensors import Tensor, TensorMetadata
from inferplane.kernel.json import Json

ROWS = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
CLASSES = [0, 1, 0, 1]


class Named:
    """An estimator with column names that answers with its first column."""

    def __init__(self) -> None:
        self.feature_names_in_ = np.array(["a", "b"], dtype=object)
        self.n_features_in_ = 2

    def predict(self, rows: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> object:
        return np.asarray(rows)[:, 0]


class Failing:
    def predict(self, rows: object) -> object:
        raise ZeroDivisionError("by zero")


class Broken:
    def __reduce__(self) -> tuple[object, ...]:
        return (int, ("not a number",))


class Unloadable:
    def __reduce__(self) -> tuple[object, ...]:
        return (__import__, ("a_module_that_nobody_has",))


def loaded(tmp_path: Path, estimator: object, options: RuntimeOptions = DEFAULTS) -> SKLearnModel:
    joblib.dump(estimator, tmp_path / "model.joblib")
    model = SKLearnModel("m", tmp_path, options)
    model.load()
    return model


def predictions(model: SKLearnModel, instances: Json) -> list[object]:
    result = model.predict({"instances": instances}, {})
    assert isinstance(result, dict)
    return list(np.asarray(result["predictions"]).tolist())


def outputs(model: SKLearnModel, *inputs: InferInput, **parameters: str) -> list[Tensor]:
    response = model.predict(InferRequest("m", list(inputs), parameters=parameters), {})
    assert isinstance(response, InferResponse)
    return list(response.outputs)


@pytest.mark.parametrize("suffix", [".joblib", ".pkl", ".pickle"])
def test_each_kind_of_file_is_loaded(tmp_path: Path, suffix: str) -> None:
    joblib.dump(DecisionTreeClassifier().fit(ROWS, CLASSES), tmp_path / f"model{suffix}")
    model = SKLearnModel("m", tmp_path)
    assert model.load()
    assert model.ready
    assert predictions(model, [[1, 1], [0, 0]]) == [1, 0]


def test_a_model_that_was_stopped_is_not_ready(tmp_path: Path) -> None:
    model = loaded(tmp_path, SVC().fit(ROWS, CLASSES))
    model.stop()
    assert not model.ready


def test_probabilities_are_given_when_asked_for(tmp_path: Path) -> None:
    model = loaded(tmp_path, DecisionTreeClassifier().fit(ROWS, CLASSES), RuntimeOptions(predict_proba=True))
    assert predictions(model, [[1, 1]]) == [[0.0, 1.0]]
    assert outputs(model, InferInput("x", [1, 2], "FP64", [1, 1]))[0].shape == [1, 2]
    assert model.get_output_types() == [TensorMetadata("output-0", "FP64", [-1, 2])]


def test_a_model_without_probabilities_predicts_all_the_same(tmp_path: Path) -> None:
    model = loaded(tmp_path, LinearRegression().fit(ROWS, CLASSES), RuntimeOptions(predict_proba=True))
    assert predictions(model, [[1, 1]]) == [pytest.approx(1.0)]


def test_v2_answers_with_output_0_in_the_results_type(tmp_path: Path) -> None:
    found = outputs(loaded(tmp_path, SVC().fit(ROWS, CLASSES)), InferInput("x", [2, 2], "FP32", [1, 1, 0, 0]))
    assert [(o.name, o.shape, o.datatype, o.as_numpy().tolist()) for o in found] == [("output-0", [2], "INT64", [1, 0])]


def test_text_labels_are_bytes_in_v2(tmp_path: Path) -> None:
    model = loaded(tmp_path, DecisionTreeClassifier().fit(ROWS, ["no", "yes", "no", "yes"]))
    found = outputs(model, InferInput("x", [1, 2], "FP64", [1, 1]))[0]
    assert (found.datatype, found.as_numpy().tolist()) == ("BYTES", ["yes"])
    assert model.get_output_types() == [TensorMetadata("output-0", "BYTES", [-1])]


def test_metadata_comes_from_the_model(tmp_path: Path) -> None:
    model = loaded(tmp_path, SVC().fit(ROWS, CLASSES))
    assert model.get_input_types() == [TensorMetadata("input-0", "FP64", [-1, 2])]
    assert model.get_output_types() == [TensorMetadata("output-0", "INT64", [-1])]


def test_metadata_that_the_model_does_not_have_is_left_out(tmp_path: Path) -> None:
    model = loaded(tmp_path, Failing())
    assert (model.get_input_types(), model.get_output_types()) == ([], [])


@pytest.mark.parametrize(
    "instances",
    [
        [{"a": 1, "b": 2}, {"a": 3, "b": 4}],
        [{"b": 2, "a": 1}, {"a": 3, "b": 4}],
        [{"a": [1, 3], "b": [2, 4]}],
        [[{"a": 1, "b": 2}, {"a": 3, "b": 4}]],
        [{"a": {"0": 1, "1": 3}, "b": {"0": 2, "1": 4}}],
    ],
)
def test_records_are_put_into_the_models_column_order(tmp_path: Path, instances: Json) -> None:
    assert predictions(loaded(tmp_path, Named()), instances) == [1, 3]


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([{"a": 1}], "columns are missing: b; the model has a, b"),
        ([{"a": 1, "b": 2}, {"a": 1}], r"instances\[1\]: expected the columns a, b, got a"),
        ([{"a": 1, "B": 2}], "columns are missing: b; columns are unknown: B; the model has a, b"),
        ([{"a": 1, "b": 2, "c": 0}], "columns are unknown: c; the model has a, b"),
        ([{"a": [1, 2], "b": [3]}], r"instances\[0\]: columns differ in length: {'a': 2, 'b': 1}"),
    ],
)
def test_records_that_do_not_fit_are_refused(tmp_path: Path, instances: Json, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        predictions(loaded(tmp_path, Named()), instances)


def test_one_tensor_a_column_with_content_type_pd(tmp_path: Path) -> None:
    columns = [InferInput("b", [2], "FP64", [9, 9]), InferInput("a", [2, 1], "FP64", [1, 3])]
    assert outputs(loaded(tmp_path, Named()), *columns, content_type="pd")[0].as_numpy().tolist() == [1, 3]


def test_several_inputs_without_saying_how_to_read_them_are_refused(tmp_path: Path) -> None:
    pair = [InferInput(name, [1, 2], "FP64", [0, 0]) for name in ("x", "y")]
    with pytest.raises(InvalidInput, match=r'expected one input, got 2 \(x, y\): .*content_type to "pd"'):
        outputs(loaded(tmp_path, Named()), *pair)


def test_rows_of_the_wrong_width_are_the_clients_mistake(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="X has 3 features, but SVC is expecting 2"):
        predictions(loaded(tmp_path, SVC().fit(ROWS, CLASSES)), [[1, 2, 3]])


@pytest.mark.parametrize("body", [b'{"instances":[["a","b"]]}', b'{"instances":[[null,1]]}', b'{"instances":[]}'])
def test_rows_that_are_no_numbers_are_the_clients_mistake(tmp_path: Path, body: bytes) -> None:
    model = loaded(tmp_path, SVC().fit(ROWS, CLASSES))
    with pytest.raises(InvalidInput):
        model.predict(v1.read_arrays(body), {})


def test_what_else_goes_wrong_is_the_models_fault(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match=r"^ZeroDivisionError : by zero$"):
        predictions(loaded(tmp_path, Failing()), [[1, 2]])


def test_a_directory_without_a_model_tells_what_was_looked_for_and_found(tmp_path: Path) -> None:
    (tmp_path / "weights.h5").touch()
    (tmp_path / "sub").mkdir()
    with pytest.raises(ModelMissingError) as caught:
        SKLearnModel("m", tmp_path).load()
    assert str(caught.value) == (
        f"no model file in {tmp_path}: looked for one file ending in .joblib, .pkl, .pickle, found sub/, weights.h5"
    )


def test_an_empty_a_missing_and_a_wrong_directory_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    messages = []
    for name in ("empty", "missing", "file"):
        with pytest.raises(ModelMissingError) as caught:
            SKLearnModel("m", tmp_path / name).load()
        messages.append(str(caught.value).replace(str(tmp_path), ""))
    assert messages == [
        "no model file in /empty: looked for one file ending in .joblib, .pkl, .pickle, found nothing",
        "model directory /missing does not exist: check --model_dir",
        "/file is a file: name the directory that holds it",
    ]


def test_two_model_files_are_one_too_many(tmp_path: Path) -> None:
    for name in ("a.pkl", "b.joblib"):
        (tmp_path / name).touch()
    with pytest.raises(ModelLoadError, match=r"More than one model file is detected.*: a.pkl, b.joblib$"):
        SKLearnModel("m", tmp_path).load()


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "model.joblib"
    file.write_bytes(b"not a pickle")
    with pytest.raises(ModelLoadError) as caught:
        SKLearnModel("m", tmp_path).load()
    text = str(caught.value)
    assert text.startswith(f"{file}: cannot be loaded: ")
    assert text.endswith(f"save the model again with joblib.dump (this is scikit-learn {sklearn.__version__})")
    assert "\n" not in text


def test_a_pickle_of_something_else_is_refused(tmp_path: Path) -> None:
    joblib.dump({"not": "a model"}, tmp_path / "model.pkl")
    with pytest.raises(ModelLoadError, match=r"expected a fitted scikit-learn estimator, got builtins.dict"):
        SKLearnModel("m", tmp_path).load()


def test_a_module_that_is_missing_is_named(tmp_path: Path) -> None:
    joblib.dump(Unloadable(), tmp_path / "model.pkl")
    with pytest.raises(ModelLoadError, match="install the module a_module_that_nobody_has"):
        SKLearnModel("m", tmp_path).load()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_load_error_names_the_version_the_model_was_saved_with(tmp_path: Path, protocol: int) -> None:
    state = {**SVC().fit(ROWS, CLASSES).__getstate__(), "_sklearn_version": "1.0.2"}
    broken = pickle.dumps({"state": state, "last": Broken()}, protocol=protocol)
    (tmp_path / "model.pkl").write_bytes(broken)
    with pytest.raises(ModelLoadError) as caught:
        SKLearnModel("m", tmp_path).load()
    assert f"saved with scikit-learn 1.0.2 and this is {sklearn.__version__}" in str(caught.value)
    assert 'runtimeVersion: "1.0.2"' in str(caught.value)
