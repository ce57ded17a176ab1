"""Trains a forest on the iris data, and keeps rows to compare with beside it.

python examples/06-explainer/train.py               into the platform's claim "models", where isvc.yaml looks
python examples/06-explainer/train.py --out DIR     into DIR
"""

import argparse
import csv
import os
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

NAMESPACE, CLAIM, PATH = "default", "models", "iris-forest"


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the forest.")
    parser.add_argument("--out", type=Path, help="directory to write to (default: the claim's)")
    directory: Path = parser.parse_args().out or claim_directory()
    data = load_iris()
    directory.mkdir(parents=True, exist_ok=True)
    joblib.dump(RandomForestClassifier(20, random_state=0).fit(data.data, data.target), directory / "model.joblib")
    with (directory / "background.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(name.removesuffix(" (cm)") for name in data.feature_names)
        writer.writerows(data.data[::3].tolist())
    print(f"trained a forest on {len(data.data)} rows")


def claim_directory() -> Path:
    from inferplane.assembly.home import home_from

    return home_from(os.environ).volumes / NAMESPACE / CLAIM / PATH


if __name__ == "__main__":
    main()
