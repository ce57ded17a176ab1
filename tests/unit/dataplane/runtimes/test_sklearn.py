"""scikit-learn models: files in, predictions out."""

import pickle
import warnings
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from inferplane import InferInput, InferRequest, InferResponse, InvalidInput
from inferplane.dataplane.runtimes.options import DEFAULTS, RuntimeOptions
from inferplane.dataplane.runtimes.pickles import recorded_version
from inferplane.dataplane.runtimes.sklearn import SKLearnModel
from inferplane.inference import v1
from inferplane.inference.errors import InferenceError, ModelLoadError
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
    """Some of the estimators are of this very module."""
    joblib.dump(estimator, tmp_path / "model.joblib")
    model = SKLearnModel("m", tmp_path, replace(options, allow_pickle_globals=("tests.*", "test_sklearn.*")))
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
    allowing = RuntimeOptions(allow_pickle_globals=("builtins.__import__",))
    with pytest.raises(ModelLoadError, match="install the module a_module_that_nobody_has"):
        SKLearnModel("m", tmp_path, allowing).load()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_load_error_names_the_version_the_model_was_saved_with(tmp_path: Path, protocol: int) -> None:
    state = {**SVC().fit(ROWS, CLASSES).__getstate__(), "_sklearn_version": "1.0.2"}
    broken = pickle.dumps({"state": state, "last": Broken()}, protocol=protocol)
    (tmp_path / "model.pkl").write_bytes(broken)
    with pytest.raises(ModelLoadError) as caught:
        SKLearnModel("m", tmp_path).load()
    assert f"saved with scikit-learn 1.0.2 and this is {sklearn.__version__}" in str(caught.value)
    assert 'runtimeVersion: "1.0.2"' in str(caught.value)


# Other methods, several targets, columns by name.


def test_another_method_is_called_when_asked_for(tmp_path: Path) -> None:
    estimator = SVC().fit(ROWS, CLASSES)
    model = loaded(tmp_path, estimator, RuntimeOptions(method="decision_function"))
    assert predictions(model, ROWS.tolist()) == estimator.decision_function(ROWS).tolist()
    assert model.get_output_types() == [TensorMetadata("output-0", "FP64", [-1])]


def test_what_only_transforms_is_served_with_that(tmp_path: Path) -> None:
    model = loaded(tmp_path, StandardScaler().fit(ROWS))
    assert predictions(model, [[0.5, 0.5]]) == [[0.0, 0.0]]


def test_a_sparse_result_is_answered_dense(tmp_path: Path) -> None:
    model = loaded(tmp_path, OneHotEncoder().fit([["a"], ["b"]]))
    assert predictions(model, [["b"], ["a"]]) == [[0.0, 1.0], [1.0, 0.0]]


def test_a_method_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    joblib.dump(SVC().fit(ROWS, CLASSES), tmp_path / "model.pkl")
    model = SKLearnModel("m", tmp_path, RuntimeOptions(method="transform"))
    with pytest.raises(
        ModelLoadError, match=r"SVC has no method transform: choose one .*: predict, decision_function$"
    ):
        model.load()


TARGETS = np.array([[0, 5], [1, 6], [0, 7], [1, 5]])


def test_several_targets_are_columns(tmp_path: Path) -> None:
    model = loaded(tmp_path, DecisionTreeClassifier(random_state=0).fit(ROWS, TARGETS))
    assert predictions(model, ROWS.tolist()) == TARGETS.tolist()
    assert model.get_output_types() == [TensorMetadata("output-0", "INT64", [-1, 2])]


def test_probabilities_of_several_targets_are_a_list_and_an_output_each(tmp_path: Path) -> None:
    tree = DecisionTreeClassifier(random_state=0).fit(ROWS, TARGETS)
    model = loaded(tmp_path, tree, RuntimeOptions(predict_proba=True))
    found = model.predict({"instances": ROWS[:1]}, {})
    assert v1.write(found) == b'{"predictions":[[[1.0,0.0],[1.0,0.0,0.0]]]}'
    first, second = outputs(model, InferInput("x", [4, 2], "FP64", ROWS.ravel().tolist()))
    expected = tree.predict_proba(ROWS)
    assert (first.name, second.name) == ("output-0", "output-1")
    assert np.array_equal(first.as_numpy(), expected[0])
    assert np.array_equal(second.as_numpy(), expected[1])
    assert [one.shape for one in model.get_output_types()] == [[-1, 2], [-1, 3]]


CITIES = ["oslo", "rome", "oslo", "rome"]


def by_name(**options: object) -> Pipeline:
    """Encodes `city`, passes `age` on and ignores the rest."""
    pandas = pytest.importorskip("pandas", reason="pandas, which picks columns by name, is not installed")
    frame = pandas.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "city": CITIES})
    columns = ColumnTransformer([("city", OneHotEncoder(), ["city"]), ("age", "passthrough", ["age"])], **options)
    return Pipeline([("columns", columns), ("tree", DecisionTreeClassifier())]).fit(frame, CITIES)


@pytest.mark.parametrize(
    "instances",
    [
        [{"city": "rome", "age": 1}, {"city": "oslo", "age": 4}],
        [{"age": [1, 4], "city": ["rome", "oslo"]}],
        [{"age": 1, "city": "rome", "id": 7}, {"age": 4, "city": "oslo", "id": 8}],
        [[1, "rome"], [4, "oslo"]],
    ],
)
def test_a_pipeline_that_picks_columns_by_name_gets_a_data_frame(tmp_path: Path, instances: Json) -> None:
    assert predictions(loaded(tmp_path, by_name()), instances) == ["rome", "oslo"]


def test_columns_by_name_over_v2_give_texts_as_bytes(tmp_path: Path) -> None:
    model = loaded(tmp_path, by_name())
    cities = InferInput("city", [2], "BYTES", np.array([b"rome", b"oslo"], dtype=object))
    (found,) = outputs(model, cities, InferInput("age", [2], "FP64", [1, 4]))
    assert (found.datatype, found.as_numpy().tolist()) == ("BYTES", ["rome", "oslo"])
    assert model.get_input_types() == [TensorMetadata("age", "FP64", [-1]), TensorMetadata("city", "BYTES", [-1])]


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([{"age": 1}], "columns are missing.*city"),
        ([{"age": "old", "city": "rome"}], "could not convert string to float: 'old'"),
        ([{"age": 1, "city": "paris"}], "unknown categories.*paris"),
        ([[1]], r"rows of 2 values \(age, city\), got the shape \[1, 1\]"),
        ([["rome"], [1, 2]], r"got the shape \[2\]|rows differ in length"),
    ],
)
def test_a_pipelines_complaint_about_columns_is_the_clients_mistake(
    tmp_path: Path, instances: Json, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        predictions(loaded(tmp_path, by_name()), instances)


# Rows of several requests together.

Floats = NDArray[np.float64]

EXACT = [
    DecisionTreeClassifier(),
    RandomForestClassifier(5),
    HistGradientBoostingClassifier(max_iter=5),
    GaussianNB(),
    SVC(),
    KNeighborsClassifier(3),
]
ROUNDED = [LogisticRegression(), MLPClassifier((8,), max_iter=20), Ridge()]
MANY = np.random.default_rng(3).normal(size=(60, 6))
SIDES = (MANY[:, 0] > 0).astype(int)


def together_and_alone(tmp_path: Path, estimator: object) -> tuple[Floats, Floats]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = estimator.fit(MANY, SIDES)  # type: ignore[attr-defined]  # an estimator
    model = loaded(tmp_path, fitted, RuntimeOptions(predict_proba=True))
    assert model.joins_requests
    alone = [model.predict_rows(MANY[i : i + 1]) for i in range(len(MANY))]
    return model.predict_rows(MANY).astype(np.float64), np.concatenate(alone).astype(np.float64)


@pytest.mark.parametrize("estimator", EXACT, ids=repr)
def test_rows_together_and_one_by_one_give_the_same_bits(tmp_path: Path, estimator: object) -> None:
    together, alone = together_and_alone(tmp_path, estimator)
    assert np.array_equal(together, alone)


@pytest.mark.parametrize("estimator", ROUNDED, ids=repr)
def test_sums_of_products_may_differ_in_the_last_bits_with_the_number_of_rows(
    tmp_path: Path, estimator: object
) -> None:
    together, alone = together_and_alone(tmp_path, estimator)
    np.testing.assert_allclose(together, alone, rtol=1e-13, atol=1e-15)


def test_what_may_look_at_other_rows_is_computed_alone(tmp_path: Path) -> None:
    centred = Pipeline([("centre", FunctionTransformer(np.asarray)), ("tree", DecisionTreeClassifier())])
    assert not loaded(tmp_path, centred.fit(ROWS, CLASSES)).joins_requests
    assert not loaded(tmp_path, Named()).joins_requests


def test_a_prediction_uses_as_many_threads_as_it_may(tmp_path: Path) -> None:
    forest = Pipeline([("forest", RandomForestClassifier(5, n_jobs=-1))]).fit(ROWS, CLASSES)
    for nthread in (1, 3):
        model = loaded(tmp_path, forest, RuntimeOptions(nthread=nthread))
        assert model._estimator.steps[0][1].n_jobs == nthread  # type: ignore[union-attr]  # the pipeline


# Versions.


def saved_as(tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch, compress: object = 0) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", version)
        joblib.dump(SVC().fit(ROWS, CLASSES), tmp_path / "model.joblib", compress=compress)


def test_a_model_of_another_version_that_works_is_served_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    saved_as(tmp_path, "1.2.0", monkeypatch)
    model = SKLearnModel("m", tmp_path)
    model.load()
    (note,) = model.notes
    assert note.startswith(f"model.joblib was saved with scikit-learn 1.2.0 and this is {sklearn.__version__}: ")
    assert note in caplog.text


def test_a_model_of_another_version_that_fails_when_called_fails_to_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved_as(tmp_path, "1.2.0", monkeypatch)
    monkeypatch.setattr(SVC, "predict", lambda self, rows: self.gone_since, raising=False)
    with pytest.raises(ModelLoadError) as caught:
        SKLearnModel("m", tmp_path).load()
    text = str(caught.value)
    assert "loaded, but its predict fails: AttributeError: 'SVC' object has no attribute 'gone_since'" in text
    assert f"saved with scikit-learn 1.2.0 and this is {sklearn.__version__}" in text


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_the_recorded_version_is_found_without_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compress: object
) -> None:
    saved_as(tmp_path, "0.24.2", monkeypatch, compress)
    assert recorded_version(tmp_path / "model.joblib") == "0.24.2"


def test_a_class_of_the_training_script_is_told_apart_from_a_missing_module(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"c__main__\nMyScaler\n.")
    with pytest.raises(ModelLoadError, match=r"MyScaler.*the class was defined in the script that saved the model"):
        SKLearnModel("m", tmp_path).load()


@pytest.mark.parametrize("estimator", EXACT, ids=repr)
def test_what_gives_the_same_bits_is_known_to(tmp_path: Path, estimator: object) -> None:
    model = loaded(tmp_path, estimator.fit(MANY, SIDES), RuntimeOptions(predict_proba=True))  # type: ignore[attr-defined]  # an estimator
    assert model.is_exact or isinstance(estimator, GaussianNB)


def test_labels_are_exact_and_probabilities_of_a_linear_model_are_not(tmp_path: Path) -> None:
    fitted = LogisticRegression().fit(MANY, SIDES)
    found = [loaded(tmp_path, fitted, RuntimeOptions(predict_proba=wanted)).is_exact for wanted in (False, True)]
    assert found == [True, False]
