"""ART's square attack as KServe's explainer answers: on digits that a tree tells apart."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.tree import DecisionTreeClassifier
from tests.contract.explainers.answering import Predicting, explained
from tests.contract.explainers.libraries import library

from inferplane.dataplane.explainers.registry import module_of
from inferplane.inference.errors import InvalidInput

library("art")

DIGITS = load_digits()
MODEL = DecisionTreeClassifier(random_state=0).fit(DIGITS.data / 16, DIGITS.target)
PICTURE = (DIGITS.images[3] / 16).reshape(1, 8, 8, 1)
THREE = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def explainer(**options: Any) -> Any:
    module = module_of("art")
    return module.ArtExplainer("m", module.Options(**{"max_iter": 200, **options}))


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
@pytest.mark.parametrize("label", [THREE, [3]])
async def test_a_three_is_made_something_else(method: str, label: list[int]) -> None:
    np.random.seed(0)
    async with explained(explainer(), Predicting(MODEL, method)) as front:
        answer = await front.v1([PICTURE.tolist(), label])
    found = answer.json()["explanations"]
    assert sorted(found) == ["L2 error", "adversarial_example", "adversarial_prediction", "prediction"]
    picture = np.array(found["adversarial_example"])
    assert (found["prediction"], picture.shape) == (3, (1, 8, 8, 1))
    assert found["adversarial_prediction"] != 3
    assert found["adversarial_prediction"] == MODEL.predict(picture.reshape(1, -1))[0]
    assert found["L2 error"] == pytest.approx(np.linalg.norm(picture - PICTURE))


async def test_a_picture_may_lack_the_dimension_of_the_sample() -> None:
    async with explained(explainer(max_iter=1), Predicting(MODEL, "predict")) as front:
        answer = await front.v1([PICTURE[0].tolist(), THREE])
    assert answer.json()["explanations"]["prediction"] == 3


@pytest.mark.parametrize("instances", [[], [[1, 2]], [[[1]], [1]], ["x", "y"], [PICTURE.tolist(), THREE, 1]])
async def test_what_is_no_picture_and_label_is_the_clients_mistake(instances: Any) -> None:
    async with explained(explainer(), Predicting(MODEL, "predict")) as front:
        answer = await front.v1(instances)
    assert answer.status_code == 400, answer.text


async def test_a_number_of_classes_that_is_not_the_predictors_is_said() -> None:
    async with explained(explainer(nb_classes=2), Predicting(MODEL, "predict")) as front:
        answer = await front.v1([PICTURE.tolist(), [1]])
    assert (answer.status_code, "--nb_classes" in answer.text) == (400, True)


def test_other_attacks_are_refused_in_kserves_words() -> None:
    with pytest.raises(module_of("art").UnknownAdversary, match="Invalid adversary type: Carlini"):
        explainer(adversary_type="Carlini")


def test_predictions_of_no_class_are_refused() -> None:
    with pytest.raises(InvalidInput):
        module_of("art").one_hot(np.array([10]), 10)
