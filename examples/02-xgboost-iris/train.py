"""Trains the example's model: boosted trees on the iris data that ships with scikit-learn.

python examples/02-xgboost-iris/train.py               into the platform's claim "models", where isvc.yaml looks
python examples/02-xgboost-iris/train.py --out DIR     into DIR, for example to copy it to a claim of a cluster
"""

import argparse
import os
from pathlib import Path

import xgboost
from sklearn.datasets import load_iris

# isvc.yaml says  storageUri: pvc://models/xgboost-iris ; on one machine a claim is a directory of the platform's home.
NAMESPACE, CLAIM, PATH = "default", "models", "xgboost-iris"


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the iris model.")
    parser.add_argument("--out", type=Path, help="directory to write model.ubj to (default: the claim's)")
    directory: Path = parser.parse_args().out or claim_directory()
    data = load_iris()
    rows = xgboost.DMatrix(data.data, data.target)
    # multi:softmax answers with the class; multi:softprob would give the probabilities.
    model = xgboost.train({"objective": "multi:softmax", "num_class": 3, "max_depth": 3}, rows, num_boost_round=20)
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / "model.ubj.new"
    draft.write_bytes(model.save_raw("ubj"))
    # In one step: a server that starts meanwhile reads the old file or the new one, whole.
    draft.replace(directory / "model.ubj")
    print(f"trained {type(model).__name__} on {len(data.data)} rows: {directory / 'model.ubj'}")


def claim_directory() -> Path:
    from inferplane.assembly.home import home_from

    return home_from(os.environ).volumes / NAMESPACE / CLAIM / PATH


if __name__ == "__main__":
    main()
