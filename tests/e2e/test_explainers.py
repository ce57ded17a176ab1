"""Explainers of ours as components of InferenceServices, in either mode, through the gateway; `art` as in KServe."""

import importlib.util
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pytest
import yaml
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from tests.e2e.whole import REPOSITORY, Whole, eventually, whole_platform

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("shap", "art")),
        reason="needs inferplane[shap,art], which are not installed",
    ),
]

EXAMPLE = REPOSITORY / "examples" / "06-explainer"
DIGITS = load_digits()
PATIENCE = 180.0
"""Seconds. numba takes its time to be imported."""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    home = tmp_path_factory.mktemp("explainers") / "home"
    with whole_platform(home) as started:
        models = home / "volumes" / "default" / "models"
        started.run(sys.executable, EXAMPLE / "train.py", "--out", models / "iris-forest")
        save_digits(models / "digits")
        for file in ("isvc.yaml", "art.yaml"):
            started.kubectl("apply", "-f", EXAMPLE / file)
        started.kubectl("apply", "-f", "-", stdin=json.dumps(in_standard_mode()))

        def all_are_ready() -> bool:
            return all(is_ready(started, name) for name in ("forest", "digits", "forest-standard"))

        eventually(all_are_ready, PATIENCE)
        yield started


def save_digits(directory: Path) -> None:
    directory.mkdir(parents=True)
    joblib.dump(DecisionTreeClassifier(random_state=0).fit(DIGITS.data / 16, DIGITS.target), directory / "model.joblib")


def in_standard_mode() -> dict[str, object]:
    """The example's service once more, by another name."""
    _, body = yaml.safe_load_all((EXAMPLE / "isvc.yaml").read_text())
    annotations = {"serving.kserve.io/deploymentMode": "Standard"}
    return {**body, "metadata": {"name": "forest-standard", "annotations": annotations}}


def is_ready(platform: Whole, name: str) -> bool:
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    return platform.kubectl("get", "isvc", name, "-o", path) == "True"


def ask(platform: Whole, name: str, path: str, body: object) -> tuple[int, dict[str, object]]:
    service = json.loads(platform.kubectl("get", "isvc", name, "-o", "json"))
    host = str(service["status"]["url"]).removeprefix("http://").partition(":")[0]
    request = urllib.request.Request(
        platform.gateway + path, json.dumps(body).encode(), {"Host": host, "Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


ROWS = [[6.8, 2.8, 4.8, 1.4], [5.1, 3.5, 1.4, 0.2]]


@pytest.mark.parametrize("name", ["forest", "forest-standard"])
def test_the_values_of_shap_sum_up_to_what_the_forest_says(platform: Whole, name: str) -> None:
    status, answer = ask(platform, name, f"/v1/models/{name}:explain", {"instances": ROWS})
    assert (status, answer["method"]) == (200, "tree"), answer
    data = load_iris()
    forest = RandomForestClassifier(20, random_state=0).fit(data.data, data.target)
    explanations = answer["explanations"]
    assert isinstance(explanations, list)
    sums = [np.array(one["base_values"]) + np.sum(one["shap_values"], axis=1) for one in explanations]
    np.testing.assert_allclose(sums, forest.predict_proba(ROWS), atol=1e-6)
    assert ask(platform, name, f"/v1/models/{name}:predict", {"instances": ROWS}) == (200, {"predictions": [1, 0]})


@pytest.mark.parametrize("name", ["forest", "forest-standard"])
def test_v2_explanations_go_the_same_way(platform: Whole, name: str) -> None:
    tensor = {"name": "x", "shape": [2, 4], "datatype": "FP64", "data": [*ROWS[0], *ROWS[1]]}
    status, answer = ask(platform, name, f"/v2/models/{name}/explain", {"inputs": [tensor]})
    outputs = answer["outputs"]
    assert isinstance(outputs, list)
    assert (status, {one["name"]: one["shape"] for one in outputs}) == (
        200,
        {"base_values": [2, 3], "shap_values": [2, 3, 4]},
    )


def test_explanations_are_found_by_path_too(platform: Whole) -> None:
    path = "/serving/default/forest/v1/models/forest:explain"
    request = urllib.request.Request(platform.gateway + path, json.dumps({"instances": ROWS}).encode())
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert json.load(answer)["method"] == "tree"


def test_kserves_art_explainer_looks_for_a_picture_that_is_taken_for_something_else(platform: Whole) -> None:
    picture = (DIGITS.images[3] / 16).reshape(1, 8, 8, 1).tolist()
    status, answer = ask(platform, "digits", "/v1/models/digits:explain", {"instances": [picture, [3]]})
    assert status == 200, answer
    found = answer["explanations"]
    assert isinstance(found, dict)
    # Whether it finds one is a matter of chance: tests/contract/explainers sees to that.
    assert (found["prediction"], np.shape(found["adversarial_example"])) == (3, (1, 8, 8, 1))
    assert found["adversarial_prediction"] in range(10)


def test_rows_that_do_not_fit_are_refused_by_the_explainer(platform: Whole) -> None:
    status, answer = ask(platform, "forest", "/v1/models/forest:explain", {"instances": [[1, 2]]})
    assert (status, "4 numbers in each row" in str(answer["error"])) == (400, True)
