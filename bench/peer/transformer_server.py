"""A transformer as an author writes one: scales rows before the predictor, says more after it. V1 and V2."""

import argparse

from inferplane import InferInput, InferRequest, Model, ModelServer, model_server


class Scale(Model):
    def preprocess(self, payload, headers=None):
        if isinstance(payload, InferRequest):
            [tensor] = payload.inputs
            scaled = InferInput(tensor.name, tensor.shape, tensor.datatype, tensor.as_numpy() * 1.0)
            return InferRequest(self.name, [scaled], request_id=payload.id)
        return {"instances": [[1.0 * number for number in row] for row in payload["instances"]]}

    def postprocess(self, result, headers=None):
        if isinstance(result, dict):
            return {"predictions": [int(one) for one in result["predictions"]]}
        return result


parser = argparse.ArgumentParser(parents=[model_server.parser])
args, _ = parser.parse_known_args()
model = Scale(args.model_name)
model.load()
ModelServer().start([model])
