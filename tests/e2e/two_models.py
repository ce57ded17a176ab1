"""Two models that answer 1 and 2, whatever they are asked, and clients that count whose answers they get."""

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from tests.e2e.whole import Whole, eventually

CONSTANTS = """
import sys
from pathlib import Path
import joblib
from sklearn.dummy import DummyClassifier

for number in (1, 2):
    directory = Path(sys.argv[1]) / f"v{number}"
    directory.mkdir(parents=True)
    model = DummyClassifier(strategy="constant", constant=number).fit([[0], [0]], [1, 2])
    joblib.dump(model, directory / "model.joblib")
"""
CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "models"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
PATH = "/v1/models/iris:predict"
BODY = json.dumps({"instances": [[0]]}).encode()


def two_models(platform: Whole) -> None:
    """Makes them: `v1` and `v2` in the claim `models`."""
    platform.run(sys.executable, "-c", CONSTANTS, platform.home / "volumes" / "default" / "models")
    platform.kubectl("apply", "-f", "-", stdin=json.dumps(CLAIM))


def model(version: int) -> dict[str, object]:
    return {"modelFormat": {"name": "sklearn"}, "storageUri": f"pvc://models/v{version}"}


@dataclass
class Load:
    """Requests one after the other on a few connections. `answers` counts predictions, `failures` is all else."""

    gateway: str
    host: str
    pause: float
    # Both from the start: the threads change numbers while others iterate, and must not add keys.
    answers: Counter[int] = field(default_factory=lambda: Counter({1: 0, 2: 0}))
    failures: list[str] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        connection = HTTPConnection(urlsplit(self.gateway).netloc, timeout=30)
        while not self._ending.wait(self.pause):
            try:
                connection.request("POST", PATH, BODY, {"Host": self.host})
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            if answer.status == 200:
                self.answers[json.loads(body)["predictions"][0]] += 1
            else:
                self.failures.append(f"{answer.status} {body!r}")
        connection.close()

    def next(self, number: int) -> Counter[int]:
        """What the next requests are answered."""
        before = self.answers.copy()
        eventually(lambda: self.answers.total() >= before.total() + number, 60)
        return self.answers - before

    def end(self) -> None:
        self._ending.set()


@contextmanager
def under_load(gateway: str, host: str, pause: float = 0.0) -> Iterator[Load]:
    """Four connections; each waits for `pause` seconds between its requests."""
    load = Load(gateway, host, pause)
    threads = [threading.Thread(target=load.ask) for _ in range(4)]
    for one in threads:
        one.start()
    try:
        yield load
    finally:
        load.end()
        for one in threads:
            one.join()
