"""LightGBM models: answers are those of `Booster.predict`; a feature that is absent is a missing value."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

lightgbm = pytest.importorskip("lightgbm", reason="the extra lightgbm is not installed")

from inferplane import InferInput, InferRequest, InferResponse, InvalidInput  # noqa: E402
from inferplane.dataplane.runtimes.lightgbm import LightGBMModel  # noqa: E402
from inferplane.inference.errors import ModelLoadError  # noqa: E402
from inferplane.inference.tensors import Array, TensorMetadata  # noqa: E402
from inferplane.kernel.json import Json  # noqa: E402

NAMES = ["sepal length", "b", "c"]
RANDOM = np.random.default_rng(7)
ROWS = RANDOM.normal(size=(300, 3))
CLASSES = (ROWS[:, 0] + ROWS[:, 1] > 0).astype(int) + (ROWS[:, 2] > 1)
MISSING = float("nan")


def trained(**parameters: object) -> Any:
    given = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1, "seed": 1, **parameters}
    if given["objective"] != "multiclass":
        del given["num_class"]
    labels = CLASSES if given["objective"] == "multiclass" else (CLASSES > 0).astype(int)
    return lightgbm.train(given, lightgbm.Dataset(ROWS, labels, feature_name=NAMES), 8)


def served(tmp_path: Path, booster: Any, name: str = "model.bst") -> LightGBMModel:
    booster.save_model(tmp_path / name)
    model = LightGBMModel("m", tmp_path)
    model.load()
    return model


def predictions(model: LightGBMModel, instances: "Json | Array") -> Array:
    result = model.predict({"instances": instances}, {})
    assert isinstance(result, dict)
    return np.asarray(result["predictions"])


@pytest.mark.parametrize("name", ["model.bst", "model.txt"])
def test_each_kind_of_file_is_loaded(tmp_path: Path, name: str) -> None:
    booster = trained()
    assert np.array_equal(predictions(served(tmp_path, booster, name), ROWS), booster.predict(ROWS, num_threads=1))


KINDS: dict[str, dict[str, object]] = {
    "multiclass": {},
    "binary": {"objective": "binary"},
    "regression": {"objective": "regression"},
    "linear trees": {"objective": "regression", "linear_tree": True},
    "dart": {"objective": "binary", "boosting": "dart"},
    "forest": {"objective": "binary", "boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
}


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[LightGBMModel, Any]:
    booster = trained(**KINDS[str(request.param)])
    return served(tmp_path_factory.mktemp("model"), booster), booster


cells = st.one_of(st.none(), st.integers(-(2**53), 2**53), st.floats(-1e300, 1e300))
tables = st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=9)


@settings(max_examples=40, deadline=None)
@given(rows=tables)
def test_predictions_are_the_boosters(pair: tuple[LightGBMModel, Any], rows: list[Json]) -> None:
    model, booster = pair
    expected = booster.predict(np.array(rows, dtype=np.float64), num_threads=1)
    assert np.array_equal(predictions(model, rows), expected, equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(rows=tables)
def test_rows_together_and_one_by_one_give_the_same_bits(pair: tuple[LightGBMModel, Any], rows: list[Json]) -> None:
    model, _ = pair
    assert model.joins_requests
    alone = np.concatenate([predictions(model, [row]) for row in rows])
    assert np.array_equal(predictions(model, rows), alone, equal_nan=True)


def test_v2_gives_probabilities_as_fp64(tmp_path: Path) -> None:
    model = served(tmp_path, trained())
    response = model.predict(InferRequest("m", [InferInput("x", [2, 3], "FP64", ROWS[:2].copy())]), {})
    assert isinstance(response, InferResponse)
    (found,) = response.outputs
    assert (found.name, found.datatype, list(found.shape)) == ("output-0", "FP64", [2, 3])
    assert np.array_equal(found.as_numpy(), predictions(model, ROWS[:2]))


@pytest.mark.parametrize(
    "records",
    [
        [{"c": 0.3, "sepal length": 0.1, "b": 0.2}],
        [{"c": 0.3, "sepal_length": 0.1, "b": 0.2}],
        [{"sepal_length": {"0": 0.1}, "b": {"0": 0.2}, "c": {"0": 0.3}}],
        [{"sepal_length": [0.1], "b": [0.2], "c": [0.3]}],
        [{"sepal_length": 0.1, "b": 0.2, "c": 0.3, "id": "ignored"}],
    ],
)
def test_each_form_of_a_record_is_matched_by_name(tmp_path: Path, records: list[Json]) -> None:
    model = served(tmp_path, trained())
    assert np.array_equal(predictions(model, records), predictions(model, [[0.1, 0.2, 0.3]]))


def test_features_that_a_record_lacks_are_missing_values(tmp_path: Path) -> None:
    model = served(tmp_path, trained())
    records: list[Json] = [{"b": 0.2}, {"c": 0.3, "sepal_length": 0.1}]
    rows = np.array([[MISSING, 0.2, MISSING], [0.1, MISSING, 0.3]])
    assert np.array_equal(predictions(model, records), predictions(model, rows))


def test_one_tensor_a_feature(tmp_path: Path) -> None:
    model = served(tmp_path, trained())
    inputs = [InferInput(name, [1], "FP64", [value]) for name, value in (("c", 0.3), ("b", 0.2))]
    response = model.predict(InferRequest("m", inputs, parameters={"content_type": "pd"}), {})
    assert isinstance(response, InferResponse)
    assert np.array_equal(response.outputs[0].as_numpy(), predictions(model, np.array([[MISSING, 0.2, 0.3]])))


def test_metadata_comes_from_the_model(tmp_path: Path) -> None:
    model = served(tmp_path, trained())
    assert model.get_input_types() == [TensorMetadata("input-0", "FP64", [-1, 3])]
    assert model.get_output_types() == [TensorMetadata("output-0", "FP64", [-1, 3])]


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([[1, 2]], r"^instances: the model takes rows of 3 numbers, \[rows, 3\], got \[1, 2\]$"),
        ([[1, "x", 3]], r"^instances\[0\]\[1\]: expected a number, got 'x'$"),
        (
            [{"sepal length": 1, "B": 2}],
            r"^columns are unknown: B, while missing are: b, c; the model has sepal",
        ),
        ([{"b": "x"}], r"^column b\[0\]: expected a number, got 'x'$"),
    ],
)
def test_rows_that_do_not_fit_are_the_clients_mistake(tmp_path: Path, instances: list[Json], message: str) -> None:
    model = served(tmp_path, trained())
    with pytest.raises(InvalidInput, match=message):
        predictions(model, instances)


def test_a_file_of_another_format_version_is_told_with_both_versions(tmp_path: Path) -> None:
    (tmp_path / "model.bst").write_text("tree\nversion=v9\nnonsense=1\n")
    with pytest.raises(ModelLoadError) as caught:
        LightGBMModel("m", tmp_path).load()
    assert f"its format version is v9 and this is LightGBM {lightgbm.__version__}" in str(caught.value)


def test_what_is_no_lightgbm_model_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "model.bst").write_text('{"learner": {}}')
    with pytest.raises(ModelLoadError, match="that is no LightGBM model"):
        LightGBMModel("m", tmp_path).load()


@pytest.mark.parametrize("last", ["Tree=1", "end of trees", "[boosting: gbdt]"])
def test_a_file_that_was_cut_off_is_not_served(tmp_path: Path, last: str) -> None:
    booster = trained()
    text = booster.model_to_string()
    (tmp_path / "model.txt").write_text(text[: text.index(last)])
    with pytest.raises(ModelLoadError, match=r"model\.txt: cannot be loaded: it was cut off"):
        LightGBMModel("m", tmp_path).load()
