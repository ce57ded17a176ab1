"""One small model for each kind of iris: is a flower of that kind (1), or not (0)?"""

from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

rows, kinds = load_iris(return_X_y=True)
for number, name in enumerate(("setosa", "versicolor", "virginica")):
    directory = Path("models", name)
    directory.mkdir(parents=True, exist_ok=True)
    joblib.dump(LogisticRegression(max_iter=500).fit(rows, (kinds == number).astype(int)), directory / "model.joblib")
