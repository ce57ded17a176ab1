"""A model of one's own: mean and spread of each row, over V1 and V2, with a reason for what it refuses."""

import numpy as np

from inferplane import InferRequest, Model, ModelServer, get_predict_input, get_predict_response
from inferplane.errors import InvalidInput


class Spread(Model):
    def get_input_types(self):
        return [{"name": "rows", "datatype": "FP64", "shape": [-1, -1]}]

    def get_output_types(self):
        return [{"name": "output-0", "datatype": "FP64", "shape": [-1, 2]}]

    def preprocess(self, payload, headers=None):
        rows = payload.inputs[0].as_numpy() if isinstance(payload, InferRequest) else get_predict_input(payload)
        if rows.ndim != 2 or rows.shape[1] < 2:
            raise InvalidInput(f"rows: expected at least two numbers in each row, got an array of shape {rows.shape}")
        return payload

    def predict(self, payload, headers=None):
        rows = get_predict_input(payload)
        return get_predict_response(payload, np.column_stack([rows.mean(axis=1), rows.std(axis=1)]), self.name)


if __name__ == "__main__":
    model = Spread("spread")
    model.load()
    ModelServer(enable_latency_logging=False).start([model])
