"""Trains the example's model: a support-vector classifier on the iris data that ships with scikit-learn.

python examples/01-sklearn-iris/train.py               into the platform's claim "models", where isvc.yaml looks
python examples/01-sklearn-iris/train.py --out DIR     into DIR, for example to copy it to a claim of a cluster
"""

import argparse
import os
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.svm import SVC

# isvc.yaml says  storageUri: pvc://models/sklearn-iris ; on one machine a claim is a directory of the platform's home.
NAMESPACE, CLAIM, PATH = "default", "models", "sklearn-iris"


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the iris model.")
    parser.add_argument("--out", type=Path, help="directory to write model.joblib to (default: the claim's)")
    directory: Path = parser.parse_args().out or claim_directory()
    data = load_iris()
    model = SVC(gamma="scale").fit(data.data, data.target)
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / "model.joblib.new"
    joblib.dump(model, draft)
    # In one step: a server that starts meanwhile reads the old file or the new one, whole.
    draft.replace(directory / "model.joblib")
    print(f"trained {type(model).__name__} on {len(data.data)} rows: {directory / 'model.joblib'}")


def claim_directory() -> Path:
    from inferplane.assembly.home import home_from

    return home_from(os.environ).volumes / NAMESPACE / CLAIM / PATH


if __name__ == "__main__":
    main()
