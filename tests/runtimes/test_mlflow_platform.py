"""MLflow models as InferenceServices: our own runtime where V1 is asked for, in an environment with what they list."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # typed only by a stub package
import pytest
from sklearn.linear_model import LinearRegression
from tests.runtimes.foreign import STANDARD, Services, isvc, services

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what MLflow has to say of type hints in code of its own
    import mlflow
    from mlflow.models import infer_signature

# MLflow says what it thinks of integer columns, and of models without type hints.
pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore")]

TABLE = pd.DataFrame({"a": [1.0, 2.0, 5.0], "b": [1, 3, 4]})


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with services(tmp_path_factory.mktemp("platform")) as found:
        yield found


def applied(platform: Services, name: str, directory: Path) -> None:
    model = {"modelFormat": {"name": "mlflow"}, "storageUri": f"file://{directory}"}
    platform.apply(isvc(name, STANDARD, {"predictor": {"model": model}}))


def test_a_model_is_served_through_the_gateway(platform: Services, tmp_path: Path) -> None:
    model = LinearRegression().fit(TABLE, [1.0, 2.5, 3.0])
    directory = tmp_path / "model"
    mlflow.sklearn.save_model(
        model,
        directory,
        signature=infer_signature(TABLE, np.array([1.0])),
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn", "mlflow==3.1.0"],
    )
    expected = mlflow.pyfunc.load_model(str(directory)).predict(TABLE)
    applied(platform, "lines", directory)
    platform.wait("lines")
    body = {"dataframe_split": TABLE.to_dict(orient="split")}
    assert platform.ask("lines", "/v1/models/lines:predict", body) == (200, {"predictions": expected.tolist()})
    found = platform.infer_grpc("lines", {name: TABLE[name].to_numpy() for name in TABLE.columns})
    np.testing.assert_array_equal(found["output-0"], expected)
    runtime = platform.platform.kubectl("get", "isvc/lines", "-o", "jsonpath={.status.clusterServingRuntimeName}")
    assert runtime == "inferplane-mlflowserver"


def test_why_a_model_does_not_load_is_told(platform: Services, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors: {spark: {pyspark_version: 3.5.0}}")
    applied(platform, "sparks", tmp_path)
    platform.says_why("sparks", "expected the flavour python_function, found spark")
