"""Answers of requests that ran together are those of the same requests alone, to the last bit: real models."""

import asyncio
import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeRegressor

from inferplane import ModelRepository
from inferplane.dataplane.model.model import Model
from inferplane.dataplane.runtimes.options import RuntimeOptions
from inferplane.dataplane.runtimes.registry import runtime
from inferplane.dataplane.server.answers import Answer, Outcome
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.metrics import Metrics
from inferplane.dataplane.server.settings import Execution

JOINED = {
    "svc": (SVC(), False),
    "svr": (SVR(), False),
    "tree": (DecisionTreeRegressor(), False),
    "forest, probabilities": (RandomForestClassifier(5), True),
    "boosting, probabilities": (GradientBoostingClassifier(n_estimators=4), True),
    "histogram boosting": (HistGradientBoostingClassifier(max_iter=3), False),
    "neighbours": (KNeighborsRegressor(), False),
    "pipeline": (make_pipeline(StandardScaler(), SVC()), False),
    "logistic regression, labels": (LogisticRegression(max_iter=300), False),
}
ALONE = {
    "linear regression": (LinearRegression(), False),
    "logistic regression, probabilities": (LogisticRegression(max_iter=300), True),
    "neural network": (MLPRegressor(max_iter=20), False),
}


@cache
def served(name: str) -> Model:
    estimator, probabilities = (JOINED | ALONE)[name]
    directory = Path(mkdtemp(prefix="inferplane-equal-"))
    with np.errstate(all="ignore"):
        joblib.dump(estimator.fit(*load_iris(return_X_y=True)), directory / "model.joblib")
    model = runtime("sklearn")("m", directory, options=RuntimeOptions(predict_proba=probabilities))
    assert model.load()
    return model


def bodies(requests: list[list[list[float]]]) -> list[tuple[str, bytes]]:
    """Every second one is V2."""
    made = []
    for number, rows in enumerate(requests):
        if number % 2:
            tensor = {"name": "x", "shape": [len(rows), 4], "datatype": "FP64", "data": rows}
            made.append(("v2", json.dumps({"id": "1", "inputs": [tensor]}).encode()))
        else:
            made.append(("v1", json.dumps({"instances": rows}).encode()))
    return made


async def answers(model: Model, made: list[tuple[str, bytes]], execution: Execution) -> tuple[list[object], float]:
    """The bodies of the answers to requests sent at once, and how many ran together at most."""
    repository = ModelRepository()
    repository.update(model)
    dispatch = Dispatch(repository, Metrics(), execution)

    async def asked(protocol: str, body: bytes) -> object:
        outcome: Outcome = (dispatch.predict if protocol == "v1" else dispatch.infer)("m", body, {})
        answer = outcome if isinstance(outcome, Answer) else await outcome
        assert answer.status == 200
        return answer.body

    found = await asyncio.gather(*[asked(*one) for one in made])
    together = dispatch.metrics.of_model("m").batch_requests
    dispatch.close()
    return list(found), together.sum / together.count


FLOATS = st.floats(0, 8, width=32).map(lambda value: float(value) + 0.0123)
REQUESTS = st.lists(st.lists(st.lists(FLOATS, min_size=4, max_size=4), min_size=1, max_size=4), min_size=2, max_size=9)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", JOINED)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=REQUESTS)
def test_answers_are_the_same_bytes_together_and_alone(name: str, requests: list[list[list[float]]]) -> None:
    made = bodies(requests)
    joined, together = asyncio.run(answers(served(name), made, Execution()))
    alone, apart = asyncio.run(answers(served(name), made, Execution(max_batch_size=1)))
    assert joined == alone
    assert together == len(made)
    assert apart == 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ALONE)
def test_models_that_compute_by_matrix_products_run_alone_unless_asked(name: str) -> None:
    made = bodies([[[5.1, 3.5, 1.4, 0.2]], [[6.2, 3.4, 5.4, 2.3]]])
    assert asyncio.run(answers(served(name), made, Execution()))[1] == 1
    assert asyncio.run(answers(served(name), made, Execution(max_batch_size=32)))[1] == 2
