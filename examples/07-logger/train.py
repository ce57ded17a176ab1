"""Trains the example's model, a classifier of the iris data, into the directory "model" beside this file."""

from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.svm import SVC

directory = Path(__file__).with_name("model")
directory.mkdir(exist_ok=True)
data = load_iris()
joblib.dump(SVC(gamma="scale").fit(data.data, data.target), directory / "model.joblib")
print(f"trained on {len(data.data)} rows")
