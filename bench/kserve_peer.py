"""The peer: scikit-learn behind the `kserve` SDK's own server, as its sklearnserver does it.

Runs in the peer's environment.

usage: kserve_peer.py MODEL_FILE HTTP_PORT
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
        self._model = joblib.load(self._file)
        self.ready = True
        return True

    def predict(self, payload, headers=None):  # type: ignore[no-untyped-def]  # kserve's types are not installed here
        return get_predict_response(payload, self._model.predict(get_predict_input(payload)), self.name)


if __name__ == "__main__":
    model = Peer("iris", sys.argv[1])
    model.load()
    ModelServer(http_port=int(sys.argv[2]), enable_grpc=False, enable_latency_logging=False).start([model])
