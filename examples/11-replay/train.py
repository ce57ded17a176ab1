"""Trains two versions of a model of the iris data, into the platform's claim "models" as replay-v1 and replay-v2.

python examples/11-replay/train.py               into the claim, where the YAML files look
python examples/11-replay/train.py --out DIR     into DIR/replay-v1 and DIR/replay-v2

The second is trained again, on the half of the rows whose petals are measured with less care: it thinks differently of
a few flowers.
"""

import argparse
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_iris
from sklearn.svm import SVC

NAMESPACE, CLAIM = "default", "models"


def main() -> None:
    parser = argparse.ArgumentParser(description="Train both versions.")
    parser.add_argument("--out", type=Path, help="directory to write both models to (default: the claim's)")
    directory: Path = parser.parse_args().out or claim_directory()
    data = load_iris()
    noise = np.random.default_rng(7).normal(scale=0.45, size=data.data.shape) * [0, 0, 1, 1]
    write(directory / "replay-v1", SVC(gamma="scale").fit(data.data, data.target))
    write(directory / "replay-v2", SVC(gamma="scale").fit((data.data + noise)[::2], data.target[::2]))


def write(directory: Path, model: SVC) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, directory / "model.joblib")
    print(f"trained: {directory.name}")


def claim_directory() -> Path:
    from inferplane.assembly.home import home_from

    return home_from(os.environ).volumes / NAMESPACE / CLAIM


if __name__ == "__main__":
    main()
