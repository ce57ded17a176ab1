"""The peer mosec: a scikit-learn model behind one worker process, JSON in and out. Runs in the peer's environment.

usage: MODEL_FILE=… mosec_server.py --address HOST --port PORT
"""

import os

import joblib
from mosec import Server, Worker


class Peer(Worker):
    def __init__(self) -> None:
        self._model = joblib.load(os.environ["MODEL_FILE"])

    def forward(self, data):  # type: ignore[no-untyped-def]  # mosec's types are not installed here
        return {"predictions": self._model.predict(data["instances"]).tolist()}


if __name__ == "__main__":
    server = Server()
    server.append_worker(Peer, num=1)
    server.run()
