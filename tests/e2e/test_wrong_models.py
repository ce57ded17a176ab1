"""Model directories that can't be served, on one platform: `inferplane why` gives the cause of each in one line.

Beside them one that can, with an example of a request.
"""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.e2e.whole import INFERPLANE, Whole, whole_platform
from tests.e2e.wrong_models import WRONG, Wrong, with_example

from inferplane.cli.why.causes import Kind
from inferplane.cli.why.collect import collect
from inferplane.cli.why.decide import Explanation, decide
from inferplane.client.kubernetes.http import HttpApi
from inferplane.client.kubernetes.kubeconfig import read_kubeconfig
from inferplane.kernel.json import JsonObject

pytestmark = pytest.mark.e2e

PATIENCE = 120.0
_UNDERWAY = (Kind.STARTING, Kind.NOT_RECONCILED, Kind.CONDITION, Kind.CRASHING)


def service(wrong: Wrong, directory: Path) -> JsonObject:
    directory.mkdir()
    wrong.make(directory)
    model: JsonObject = {"modelFormat": {"name": wrong.format}, "storageUri": f"file://{directory}"}
    annotations: JsonObject = {"serving.kserve.io/deploymentMode": "Standard", **wrong.annotations}
    return isvc(wrong.name, annotations, model)


def isvc(name: str, annotations: JsonObject, model: JsonObject) -> JsonObject:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"predictor": {"model": model}},
    }


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    models = tmp_path_factory.mktemp("models")
    services = [service(wrong, models / wrong.name) for wrong in WRONG]
    with whole_platform(tmp_path_factory.mktemp("home")) as found:
        found.run(INFERPLANE, "apply", "--no-wait", "-f", "-", stdin=yaml.safe_dump_all(services), timeout=PATIENCE)
        yield found


def explained(platform: Whole, name: str) -> Explanation:
    """What `why` decides once the service has failed."""

    async def ask() -> Explanation:
        async with HttpApi(read_kubeconfig(platform.home / "kubeconfig")) as api:
            return decide(await collect(api, name, "default", platform.status()))

    start = time.monotonic()
    while True:
        found = asyncio.run(ask())
        if found.causes and found.causes[0].kind not in _UNDERWAY:
            return found
        assert time.monotonic() - start < PATIENCE, found
        time.sleep(0.2)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda one: one.name)
def test_the_cause_is_one_line_that_says_it(platform: Whole, wrong: Wrong) -> None:
    (cause,) = explained(platform, wrong.name).causes
    assert (cause.kind, len(cause.details)) == (Kind(wrong.kind), 1), cause
    assert wrong.said in cause.details[0]


def test_the_command_says_it_in_the_terminal(platform: Whole) -> None:
    explained(platform, "is-lgb")
    done = subprocess.run(
        [INFERPLANE, "why", "is-lgb"], env=platform.environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "m.bst is a LightGBM booster: modelFormat.name: lightgbm" in " ".join(done.stdout.split())


def test_a_models_own_example_is_what_predict_sends(platform: Whole, tmp_path: Path) -> None:
    with_example(tmp_path, [0.0, 0.0], [1.0, 1.0])
    standard: JsonObject = {"serving.kserve.io/deploymentMode": "Standard"}
    model: JsonObject = {"modelFormat": {"name": "sklearn"}, "storageUri": f"file://{tmp_path}"}
    manifest = yaml.safe_dump(isvc("good", standard, model))
    platform.run(INFERPLANE, "apply", "--timeout", "120", "-f", "-", stdin=manifest, timeout=130)
    assert json.loads(platform.inferplane("predict", "good", "--example")) == {"predictions": [0, 1]}
