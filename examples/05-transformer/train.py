"""Trains the iris model, as examples/01-sklearn-iris/train.py does: python train.py --out DIR"""

import argparse
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.svm import SVC

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=Path, required=True)
directory: Path = parser.parse_args().out
data = load_iris()
directory.mkdir(parents=True, exist_ok=True)
joblib.dump(SVC(gamma="scale").fit(data.data, data.target), directory / "model.joblib")
print(f"trained SVC on {len(data.data)} rows")
