"""Trains a support-vector classifier on the iris data into ./model: python train.py"""

from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.svm import SVC

directory = Path("model")
directory.mkdir(exist_ok=True)
data = load_iris()
joblib.dump(SVC(gamma="scale").fit(data.data, data.target), directory / "model.joblib")
print(f"trained on {len(data.data)} rows")
