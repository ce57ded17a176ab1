"""An adversarial example: a picture that looks the same and is taken for something else, by KServe's `art` explainer.

The request is `{"instances": [picture, label]}` as in KServe: the picture with a dimension for the sample first (one
that lacks it gets it), the label a class or one number a class. The predictor is asked about flat pictures, one a row.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from art.attacks.evasion.square_attack import SquareAttack
from art.estimators.classification import BlackBoxClassifierNeuralNetwork
from numpy.typing import NDArray

from inferplane.dataplane.explainers.predictions import Predictor, predictor_of
from inferplane.dataplane.model.model import Model
from inferplane.inference.errors import InferenceError, InferenceFailure, InvalidInput
from inferplane.inference.tensors import Array

log = logging.getLogger("inferplane.server")

ATTACK = "SquareAttack"


class UnknownAdversary(InferenceError):
    def __init__(self, name: str) -> None:
        super().__init__(f"Invalid adversary type: {name}", fix=f"{ATTACK} is the one that there is")


@dataclass(frozen=True, slots=True)
class Options:
    """KServe's arguments, by name and default."""

    adversary_type: str = ATTACK
    max_iter: int = 1000
    nb_classes: int = 10


class ArtExplainer(Model):
    """`:explain` of one picture."""

    def __init__(self, name: str, options: Options) -> None:
        super().__init__(name)
        if options.adversary_type.lower() != ATTACK.lower():
            raise UnknownAdversary(options.adversary_type)
        self.options = options

    def validate(self, payload: Any) -> Any:
        """Left to `explain`: a picture and a label are no rows."""
        return payload

    async def explain(self, payload: Any, headers: dict[str, str]) -> Any:
        picture, label = _picture_and_label(payload)
        async with predictor_of(self.name, self.predictor_config, headers) as predictor:
            return {"explanations": await asyncio.to_thread(self._attacked, predictor, picture, label)}

    def _attacked(self, predictor: Predictor, picture: NDArray[np.float64], label: Array) -> dict[str, Any]:
        options = self.options
        classifier = BlackBoxClassifierNeuralNetwork(
            lambda pictures: one_hot(predictor(pictures.reshape(len(pictures), -1)), options.nb_classes),
            picture.shape[1:],
            options.nb_classes,
            channels_first=False,
            clip_values=(-np.inf, np.inf),
        )
        try:
            prediction = int(np.argmax(classifier.predict(picture)))
            attack = SquareAttack(estimator=classifier, max_iter=options.max_iter, verbose=False)
            found = attack.generate(x=picture, y=label)
            adversarial = int(np.argmax(classifier.predict(found)))
        except InferenceFailure:
            raise  # the predictor's
        except Exception as error:
            raise InferenceError(f"Failed to explain {error}") from error
        return {
            "adversarial_example": found,
            "L2 error": float(np.linalg.norm((found - picture).reshape(-1))),
            "adversarial_prediction": adversarial,
            "prediction": prediction,
        }


def _picture_and_label(payload: Any) -> tuple[NDArray[np.float64], Array]:
    instances = payload.get("instances") if isinstance(payload, dict) else None
    if not isinstance(instances, list) or len(instances) != 2:
        raise InvalidInput('expected "instances" to be a list of a picture and its label')
    try:
        picture, label = np.array(instances[0], dtype=np.float64), np.array(instances[1])
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"instances: Failed to initialize NumPy array from inputs: {error}") from error
    if picture.ndim == 3:
        picture = picture[np.newaxis]
    if picture.ndim != 4 or len(picture) != 1:
        raise InvalidInput(
            f"instances[0]: expected one picture of height, width and channels, got an array of shape {picture.shape}"
        )
    return picture, np.atleast_2d(label) if label.ndim == 1 and label.size > 1 else label.reshape(1, -1)[:, 0]


def one_hot(predictions: Array, classes: int) -> NDArray[np.float64]:
    """A row of `classes` numbers a prediction: probabilities as they are, a class as certainty."""
    if predictions.ndim == 2 and predictions.shape[1] == classes:
        return predictions.astype(np.float64)
    numbers = predictions.reshape(len(predictions), -1)[:, 0].astype(np.float64)
    if (numbers % 1 != 0).any() or (numbers < 0).any() or (numbers >= classes).any():
        raise InvalidInput(
            f"the predictor's answers are neither {classes} probabilities nor a class from 0 to {classes - 1}",
            fix="set --nb_classes (config of spec.explainer.art) to the number of its classes",
        )
    certain = np.zeros((len(numbers), classes))
    certain[np.arange(len(numbers)), numbers.astype(np.int64)] = 1.0
    return certain
