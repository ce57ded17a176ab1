"""Two models of irises: a quick one that is sure of some of them, and a careful one that is asked about the others."""

import argparse
from typing import Any

from inferplane import Model, ModelServer, model_server


class Quick(Model):
    """Looks at the petal's length alone."""

    def predict(self, payload: Any, headers: Any = None) -> dict[str, Any]:
        return {"predictions": [self.look(row) for row in payload["instances"]]}

    def look(self, row: list[float]) -> dict[str, Any]:
        length = row[2]
        if length < 2.5:
            return {"iris": "setosa", "sure": True}
        return {"iris": "versicolor" if length < 4.8 else "virginica", "sure": not 4.5 <= length <= 5.2}


CENTRES = {"setosa": (5.0, 3.4, 1.5, 0.2), "versicolor": (5.9, 2.8, 4.3, 1.3), "virginica": (6.6, 3.0, 5.6, 2.0)}


class Careful(Model):
    """The centre that is nearest to all four numbers."""

    def predict(self, payload: Any, headers: Any = None) -> dict[str, Any]:
        return {"predictions": [{"iris": self.nearest(row), "sure": True} for row in payload["instances"]]}

    def nearest(self, row: list[float]) -> str:
        def distance(name: str) -> float:
            return sum((a - b) ** 2 for a, b in zip(row, CENTRES[name], strict=True))

        return min(CENTRES, key=distance)


KINDS = {"quick": Quick, "careful": Careful}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("--models", default="quick,careful", help="Those that this process serves.")
    args, _ = parser.parse_known_args()
    models = [KINDS[name](name) for name in args.models.split(",")]
    for model in models:
        model.load()
    ModelServer(enable_grpc=False).start(models)
