"""Trains two models of the iris data, into the platform's claim "models" as canary-v1 and canary-v2.

python examples/10-canary/train.py               into the claim, where the YAML files look
python examples/10-canary/train.py --out DIR     into DIR/canary-v1 and DIR/canary-v2
"""

import argparse
import os
from pathlib import Path

import joblib
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

NAMESPACE, CLAIM = "default", "models"


def main() -> None:
    parser = argparse.ArgumentParser(description="Train both models.")
    parser.add_argument("--out", type=Path, help="directory to write both models to (default: the claim's)")
    directory: Path = parser.parse_args().out or claim_directory()
    data = load_iris()
    write(directory / "canary-v1", SVC(gamma="scale").fit(data.data, data.target))
    write(directory / "canary-v2", DecisionTreeClassifier(random_state=0).fit(data.data, data.target))


def write(directory: Path, model: BaseEstimator) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, directory / "model.joblib")
    print(f"trained: {directory.name}")


def claim_directory() -> Path:
    from inferplane.assembly.home import home_from

    return home_from(os.environ).volumes / NAMESPACE / CLAIM


if __name__ == "__main__":
    main()
