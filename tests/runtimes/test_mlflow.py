"""MLflow models through V1, V2 and gRPC of a real server: what they answer is what MLflow answers itself.

Models are saved by MLflow's flavours in the test, each with a signature; what the server is asked, MLflow is asked too.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # typed only by a stub package
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tests.runtimes.serving import Server, serving

from inferplane.dataplane.server.batching.join import RowJoining
from inferplane.inference.errors import InferenceFailure

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what MLflow has to say of type hints in code of its own
    import mlflow
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.pyfunc import PyFuncModel, PythonModel
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec

    from inferplane.dataplane.runtimes.mlflow import MLflowModel

# MLflow says what it thinks of integer columns, of models without type hints, and of itself as a library without torch.
pytestmark = pytest.mark.filterwarnings("ignore")

TABLE = pd.DataFrame(
    {
        "age": [22.0, 38.0, 26.0, 35.0, 54.0, 2.0],
        "siblings": [1, 1, 0, 1, 0, 3],
        "sex": ["male", "female", "female", "female", "male", "male"],
    }
)
SURVIVED = np.array([0, 1, 1, 1, 0, 0])
ASKED = TABLE.iloc[:3]
RECORDS = ASKED.to_dict(orient="records")
ROWS = ASKED.to_numpy().tolist()
NUMBERS = np.array([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6], [5.1, 3.5, 1.4, 0.2]])
LABELS = np.array([1, 1, 0])


@dataclass(frozen=True)
class Served:
    model: PyFuncModel
    server: Server
    directory: Path


def save_titanic(directory: Path) -> None:
    columns = make_column_transformer((OneHotEncoder(), ["sex"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(TABLE, SURVIVED)
    mlflow.sklearn.save_model(
        model,
        directory,
        signature=infer_signature(TABLE, SURVIVED),
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn"],
    )


@pytest.fixture(scope="module")
def titanic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("titanic") / "model"
    save_titanic(directory)
    with serving("mlflow", directory) as server:
        yield Served(mlflow.pyfunc.load_model(str(directory)), server, directory)


@pytest.fixture(scope="module")
def expected(titanic: Served) -> list[int]:
    found: list[int] = titanic.model.predict(ASKED).tolist()
    return found


SPLIT = {"columns": list(ASKED.columns), "data": ROWS}
TURNED = {"columns": ["sex", "age", "siblings"], "data": [[row[2], row[0], row[1]] for row in ROWS]}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": RECORDS},
        {"dataframe_split": SPLIT},
        {"dataframe_split": TURNED},
        {"instances": RECORDS},
        {"instances": ROWS},
        {"inputs": {name: ASKED[name].tolist() for name in ASKED.columns}},
        {"dataframe_records": [record | {"cabin": "C85"} for record in RECORDS]},
    ],
    ids=["records", "split", "split in another order", "instances", "rows by place", "columns", "one column more"],
)
def test_v1_takes_mlflows_forms(titanic: Served, expected: list[int], body: dict[str, Any]) -> None:
    assert titanic.server.post("/v1/models/m:predict", body) == {"predictions": expected}


COLUMNS = {
    "sex": np.array(ASKED["sex"].tolist(), dtype=object),
    "age": ASKED["age"].to_numpy(),
    "siblings": ASKED["siblings"].to_numpy(),
}


def test_v2_takes_a_tensor_a_column(titanic: Served, expected: list[int]) -> None:
    assert titanic.server.v2(COLUMNS)["output-0"].tolist() == expected
    pandas = {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {"name": "age", "shape": [1, 1], "datatype": "FP32", "data": [22]},
            {"name": "siblings", "shape": [1, 1], "datatype": "INT32", "data": [1]},
            {"name": "sex", "shape": [1, 1], "datatype": "BYTES", "data": ["male"]},
        ],
    }
    [output] = titanic.server.post("/v2/models/m/infer", pandas)["outputs"]
    assert (output["datatype"], output["shape"], output["data"]) == ("INT64", [1], expected[:1])


def test_grpc_takes_a_tensor_a_column(titanic: Served, expected: list[int]) -> None:
    found = titanic.server.v2_grpc(COLUMNS)["output-0"]
    assert found.tolist() == expected
    assert found.dtype == np.dtype(np.int64)


def test_the_signature_is_the_metadata(titanic: Served) -> None:
    found = titanic.server.metadata()
    assert found["inputs"] == [
        {"name": "age", "datatype": "FP64", "shape": [-1]},
        {"name": "siblings", "datatype": "INT64", "shape": [-1]},
        {"name": "sex", "datatype": "BYTES", "shape": [-1]},
    ]
    assert found["outputs"] == [{"name": "output-0", "datatype": "INT64", "shape": [-1]}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"dataframe_records": [{"age": 1.0, "sex": "male"}]}, "columns are missing: siblings"),
        ({"dataframe_records": [{"age": 1.0, "sex": "male", "siblings": 2.5}]}, "2.5 at [0] does not fit INT64"),
        ({"dataframe_records": [{"age": "old", "sex": "male", "siblings": 2}]}, "expected a number, got 'old'"),
        ({"dataframe_records": [{"age": 1.0, "sex": 3, "siblings": 2}]}, "column sex: expected text, got 3 in row 0"),
        ({"dataframe_records": [{"age": 1.0, "sex": "other", "siblings": 2}]}, "unknown categories"),
        ({"dataframe_split": {"columns": ["age"], "rows": []}}, "expected an object with data"),
        ({"instances": [[1.0, 2]]}, "instances[0]: expected 3 values (age, siblings, sex), got 2 values"),
        ({"rows": []}, "expected one of inputs, instances, dataframe_split, dataframe_records, got rows"),
        ({"instances": ROWS, "params": {"depth": 3}}, "the model's signature has no depth; it has none"),
    ],
)
def test_what_does_not_fit_the_signature_is_the_clients_mistake(titanic: Served, body: object, said: str) -> None:
    status, told = titanic.server.refusal("/v1/models/m:predict", body)
    assert (status, said in told) == (400, True), told


SCALED = ModelSignature(
    inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, 4))]),
    outputs=Schema([ColSpec("double", "sum"), ColSpec("string", "text")]),
    params=ParamSchema([ParamSpec("factor", "double", 1.0)]),
)


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    class Scaled(PythonModel):
        """Takes a tensor, and a parameter; gives two columns."""

        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow reads type hints
            factor = (params or {})["factor"]
            return pd.DataFrame({"sum": model_input.sum(axis=1) * factor, "text": ["t"] * len(model_input)})

    directory = tmp_path_factory.mktemp("scaled") / "model"
    mlflow.pyfunc.save_model(directory, python_model=Scaled(), signature=SCALED, pip_requirements=["pandas"])
    with serving("mlflow", directory) as server:
        yield Served(mlflow.pyfunc.load_model(str(directory)), server, directory)


def test_a_tensor_and_a_parameter_go_to_the_model(scaled: Served) -> None:
    tensor = NUMBERS.astype(np.float32)
    wanted = scaled.model.predict(tensor, params={"factor": 2.0})
    body = {"instances": tensor.tolist(), "params": {"factor": 2.0}}
    found = scaled.server.post("/v1/models/m:predict", body)["predictions"]
    assert [np.float32(row["sum"]) for row in found] == wanted["sum"].tolist()
    assert [row["text"] for row in found] == wanted["text"].tolist()
    request = {
        "parameters": {"factor": 2.0},
        "inputs": [{"name": "x", "shape": [3, 4], "datatype": "FP32", "data": tensor.ravel().tolist()}],
    }
    total, text = scaled.server.post("/v2/models/m/infer", request)["outputs"]
    assert (total["name"], total["datatype"]) == ("sum", "FP32")
    assert np.array(total["data"], dtype=np.float32).tolist() == wanted["sum"].tolist()
    assert (text["name"], text["datatype"], text["data"]) == ("text", "BYTES", ["t"] * 3)


def test_without_the_parameter_the_signatures_default_counts(scaled: Served) -> None:
    tensor = NUMBERS.astype(np.float32)
    found = scaled.server.v2_grpc({"input-0": tensor})
    np.testing.assert_array_equal(found["sum"], scaled.model.predict(tensor)["sum"])


def test_a_parameter_of_another_type_is_the_clients_mistake(scaled: Served) -> None:
    body = {"instances": NUMBERS.tolist(), "params": {"factor": "much"}}
    status, told = scaled.server.refusal("/v1/models/m:predict", body)
    assert (status, "factor" in told) == (400, True), told


def test_a_tensor_of_another_shape_is_the_clients_mistake(scaled: Served) -> None:
    status, told = scaled.server.refusal("/v1/models/m:predict", {"instances": [[1.0, 2.0]]})
    assert (status, "expected the shape [-1, 4], got [1, 2]" in told) == (400, True), told


def save_xgboost(directory: Path) -> None:
    import xgboost

    data = xgboost.DMatrix(NUMBERS, LABELS)
    model = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 5)
    mlflow.xgboost.save_model(model, directory, pip_requirements=["xgboost-cpu"])


def save_lightgbm(directory: Path) -> None:
    import lightgbm

    options = {"objective": "binary", "num_threads": 1, "min_data_in_leaf": 1, "min_data_in_bin": 1, "verbose": -1}
    model = lightgbm.train(options, lightgbm.Dataset(NUMBERS, LABELS), 5)
    mlflow.lightgbm.save_model(model, directory, pip_requirements=["lightgbm"])


def save_onnx(directory: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", sides[:1], sides[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    mlflow.onnx.save_model(model, directory, pip_requirements=["onnxruntime"])


FLAVOURS = {"xgboost": save_xgboost, "lightgbm": save_lightgbm, "onnx": save_onnx}


def test_other_flavours_answer_what_mlflow_does(tmp_path: Path) -> None:
    asked = NUMBERS.astype(np.float32)
    for name, save in FLAVOURS.items():
        save(tmp_path / name)
    with serving("mlflow", tmp_path) as server:
        for name in FLAVOURS:
            found = mlflow.pyfunc.load_model(str(tmp_path / name)).predict(asked)
            [wanted] = found.values() if isinstance(found, dict) else [np.asarray(found)]
            rows = server.of(name).v1(asked.tolist())
            by_v1 = [row["y"] for row in rows] if isinstance(rows[0], dict) else rows
            np.testing.assert_allclose(by_v1, wanted, rtol=1e-6)
            [by_v2] = server.of(name).v2_grpc({"x": asked}).values()
            np.testing.assert_array_equal(by_v2, wanted)


def test_requests_that_are_computed_together_get_their_own_rows(titanic: Served, expected: list[int]) -> None:
    model = MLflowModel("m", titanic.directory)
    model.load()
    joining = RowJoining(model, inexact=True)
    payloads = [{"instances": RECORDS[:1]}, {"dataframe_split": SPLIT}]
    parts = [joining.part(payload) for payload in payloads]
    assert parts[0].kind == parts[1].kind is not None
    first, second = joining.together(payloads, parts, {})
    assert [np.asarray(one["predictions"]).tolist() for one in (first, second)] == [expected[:1], expected]  # type: ignore[index]  # V1's


# What goes wrong when a model is loaded: that a server says it, test_mlflow_platform shows.


def why_not(directory: Path) -> str:
    with pytest.raises(InferenceFailure) as raised:
        MLflowModel("m", directory).load()
    return str(raised.value)


def test_a_directory_without_an_mlmodel_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"")
    assert "looked for one file ending in MLmodel, found model.pkl" in why_not(tmp_path)


def test_an_mlmodel_of_something_else_says_so(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: [1")
    assert "not the description of an MLflow model: not YAML" in why_not(tmp_path)


def test_a_model_without_the_general_flavour_names_those_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {spark: {pyspark_version: 3.5.0}}")
    assert "expected the flavour python_function, found spark" in why_not(tmp_path)


def test_missing_modules_are_named_with_the_versions_that_the_model_asks_for(tmp_path: Path) -> None:
    loader = "{python_function: {loader_module: mlflow.catboost, data: m.cb}, catboost: {catboost_version: 1.2.7}}"
    (tmp_path / "m.cb").touch()
    (tmp_path / "MLmodel").write_text(f"flavors: {loader}\nmlflow_version: 3.1.0\n")
    (tmp_path / "requirements.txt").write_text("catboost==1.2.7\nmlflow==3.1.0\nforecaster==0.3\n")
    said = why_not(tmp_path)
    assert "the module catboost is not installed (the model asks for catboost==1.2.7)" in said
    assert "neither are, of its requirements.txt, forecaster==0.3" in said
    assert "pip install 'catboost==1.2.7' 'forecaster==0.3'" in said


def test_a_model_of_another_version_that_does_not_load_names_both(tmp_path: Path) -> None:
    directory = tmp_path / "model"
    save_titanic(directory)
    described = directory / "MLmodel"
    here = next(line for line in described.read_text().splitlines() if "sklearn_version" in line).split()[-1]
    described.write_text(described.read_text().replace(f"sklearn_version: {here}", "sklearn_version: 1.2.2"))
    (directory / "model.pkl").write_bytes(b"\x80\x04cut")
    said = why_not(directory)
    assert f"it was saved with scikit-learn 1.2.2 (here {here}); serve it with that" in said


def test_a_model_that_is_not_whole_says_so(tmp_path: Path) -> None:
    directory = tmp_path / "model"
    save_titanic(directory)
    (directory / "model.pkl").unlink()
    said = why_not(directory)
    assert "FileNotFoundError" in said
    assert "the directory is not whole" in said
