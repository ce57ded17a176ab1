"""The peer Triton: a scikit-learn model in its Python back end, which imports this file as `model.py`."""

import os

import joblib
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args) -> None:  # type: ignore[no-untyped-def]  # Triton's types are not installed here
        version = os.path.join(args["model_repository"], args["model_version"])
        model = joblib.load(os.path.join(version, "model.joblib"))
        self._call = model.predict if hasattr(model, "predict") else model.transform

    def execute(self, requests):  # type: ignore[no-untyped-def]
        return [self._answered(request) for request in requests]

    def _answered(self, request):  # type: ignore[no-untyped-def]
        values = pb_utils.get_input_tensor_by_name(request, "input-0").as_numpy()
        return pb_utils.InferenceResponse([pb_utils.Tensor("output-0", self._call(values))])
