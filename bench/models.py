"""The two models that every server serves, from the same files.

`iris`: scikit-learn's SVC on the iris data, asked about two rows. `picture`: the mean of each channel of a tensor of
the usual size of a picture (1×3×224×224, FP32), as a scikit-learn transformer: nearly all its time is the server's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_iris
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

FILE = "model.joblib"


@dataclass(frozen=True)
class Kind:
    """A model's name, the tensor it is asked about, and what it must answer."""

    name: str
    tensor: npt.NDArray[np.floating]
    datatype: str
    answer: Sequence[float]
    answer_datatype: str
    answer_shape: Sequence[int]


def _picture() -> npt.NDArray[np.float32]:
    return np.random.default_rng(224).random((1, 3, 224, 224), dtype=np.float32)


IRIS = Kind(
    "iris",
    np.array([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]),
    "FP64",
    (1, 1),
    answer_datatype="INT64",
    answer_shape=(-1,),
)
PICTURE = Kind(
    "picture",
    _picture(),
    "FP32",
    tuple(_picture().mean(axis=(2, 3)).ravel().tolist()),
    answer_datatype="FP32",
    answer_shape=(-1, 3),
)


def save(kind: Kind, directory: Path) -> Path:
    """Writes the model into `directory/NAME/model.joblib`."""
    file = directory / kind.name / FILE
    file.parent.mkdir(parents=True)
    joblib.dump(_estimator(kind), file)
    return file


def _estimator(kind: Kind) -> object:
    if kind is IRIS:
        return SVC().fit(*load_iris(return_X_y=True))
    return FunctionTransformer(partial(np.mean, axis=(2, 3)))
