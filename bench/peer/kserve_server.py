"""The peer `kserve`: scikit-learn behind the SDK's own server, as its sklearnserver does it.

Runs in the peer's environment.

usage: kserve_server.py MODEL_NAME MODEL_FILE HTTP_PORT GRPC_PORT
"""

import sys

import joblib
from kserve import Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response


class Peer(Model):
    def __init__(self, name: str, file: str) -> None:
        super().__init__(name)
        self._file = file

    def load(self) -> bool:
        model = joblib.load(self._file)
        self._call = model.predict if hasattr(model, "predict") else model.transform
        self.ready = True
        return True

    def predict(self, payload, headers=None):  # type: ignore[no-untyped-def]  # kserve's types are not installed here
        return get_predict_response(payload, self._call(get_predict_input(payload)), self.name)


if __name__ == "__main__":
    name, file, http_port, grpc_port = sys.argv[1:]
    model = Peer(name, file)
    model.load()
    ModelServer(http_port=int(http_port), grpc_port=int(grpc_port), enable_latency_logging=False).start([model])
