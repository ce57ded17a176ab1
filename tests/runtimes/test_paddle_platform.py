"""A Paddle model as an InferenceService."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.runtimes.foreign import STANDARD, Services, isvc, services
from tests.runtimes.test_paddle import ROWS, directly, run

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with services(tmp_path_factory.mktemp("platform")) as found:
        yield found


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("paddle")
    run("-m", "tests.runtimes.paddle_models", directory)
    return directory


def applied(platform: Services, name: str, directory: Path) -> None:
    model = {"modelFormat": {"name": "paddle"}, "storageUri": f"file://{directory}"}
    platform.apply(isvc(name, STANDARD, {"predictor": {"model": model}}))


def test_a_model_is_served_through_the_gateway(platform: Services, models: Path, tmp_path: Path) -> None:
    expected = directly(models / "new" / "model.json", tmp_path)
    applied(platform, "flowers", models / "new")
    platform.wait("flowers")
    status, found = platform.ask("flowers", "/v1/models/flowers:predict", {"instances": ROWS.tolist()})
    assert status == 200
    np.testing.assert_array_equal(np.array(found["predictions"], dtype=np.float32), expected)
    np.testing.assert_array_equal(platform.infer_grpc("flowers", {"x": ROWS})["output-0"], expected)
    runtime = platform.platform.kubectl("get", "isvc/flowers", "-o", "jsonpath={.status.clusterServingRuntimeName}")
    assert runtime == "kserve-paddleserver"


def test_why_a_model_does_not_load_is_told(platform: Services, models: Path, tmp_path: Path) -> None:
    shutil.copy(models / "new" / "model.pdiparams", tmp_path)
    applied(platform, "alone", tmp_path)
    platform.says_why("alone", "Missing model file with extension '.pdmodel' or '.json'")
