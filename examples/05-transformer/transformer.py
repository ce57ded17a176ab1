"""In front of the iris model: records in, names of flowers out. The model takes rows and answers with numbers."""

import argparse

from inferplane import Model, ModelServer, model_server
from inferplane.errors import InvalidInput

COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
FLOWERS = ("setosa", "versicolor", "virginica")


class Flowers(Model):
    """Without a `predict` of its own it asks the predictor that `--predictor_host` names."""

    def preprocess(self, payload, headers=None):
        try:
            rows = [[record[column] for column in COLUMNS] for record in payload["instances"]]
        except (KeyError, TypeError) as error:
            raise InvalidInput(f"instances: expected records with {', '.join(COLUMNS)}") from error
        return {"instances": rows}

    def postprocess(self, result, headers=None):
        return {"predictions": [FLOWERS[number] for number in result["predictions"]]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    args, _ = parser.parse_known_args()
    model = Flowers(args.model_name)
    model.load()
    ModelServer(enable_grpc=False, enable_latency_logging=False).start([model])
