"""A PMML model as an InferenceService: Java starts in the pod, not in the zygote that it is forked from."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.runtimes.foreign import STANDARD, Services, isvc, services
from tests.runtimes.pmml_models import BY_HAND, ROWS, TENSORS, TREE

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with services(tmp_path_factory.mktemp("platform")) as found:
        yield found


def applied(platform: Services, name: str, directory: Path, text: str) -> None:
    (directory / "model.pmml").write_text(text)
    model = {"modelFormat": {"name": "pmml"}, "storageUri": f"file://{directory}"}
    platform.apply(isvc(name, STANDARD, {"predictor": {"model": model}}))


def test_a_model_is_served_through_the_gateway(platform: Services, tmp_path: Path) -> None:
    applied(platform, "trees", tmp_path, TREE)
    platform.wait("trees")
    assert platform.ask("trees", "/v1/models/trees:predict", {"instances": ROWS}) == (200, {"predictions": BY_HAND})
    found = platform.infer_grpc("trees", TENSORS)
    np.testing.assert_array_equal(found["probability(setosa)"], [row["probability(setosa)"] for row in BY_HAND])
    runtime = platform.platform.kubectl("get", "isvc/trees", "-o", "jsonpath={.status.clusterServingRuntimeName}")
    assert runtime == "kserve-pmmlserver"


def test_why_a_model_does_not_load_is_told(platform: Services, tmp_path: Path) -> None:
    applied(platform, "cut", tmp_path, TREE[:900])
    platform.says_why("cut", "XML document structures must start and end within the same entity")
