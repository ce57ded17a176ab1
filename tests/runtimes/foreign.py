"""Servers that are not ours, each a service of one platform: asked through the gateway, over REST and gRPC.

Their environments are those that the node makes for their images. They are kept beside the other runtimes' and made
once: from a package index in some minutes, from uv's cache in seconds. Where no index can be reached the tests are
skipped, and say so.
"""

import asyncio
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.e2e.libraries import builder
from tests.e2e.whole import INFERPLANE, REPOSITORY, Whole, eventually, whole_platform

from inferplane.client.inference.grpc_client import GrpcClient
from inferplane.controlplane.node.environments.builder import BuildFailed
from inferplane.controlplane.node.environments.choose import choose, chosen
from inferplane.controlplane.node.environments.installed import installed
from inferplane.controlplane.node.images import wish
from inferplane.resources.process_image import ProcessImage, find, process_images

KEPT = REPOSITORY / ".venv-runtimes" / "environments"
PATIENCE = 170.0
STANDARD, KNATIVE = "Standard", "Knative"


def environment(image: str, variables: Mapping[str, str] | None = None) -> Path:
    """The one that a node makes for a container of that image."""
    found = find([msgspec.convert(one, ProcessImage) for one in process_images()], image)
    assert found is not None
    wanted = choose(chosen(wish(found, image), variables or {}), installed())
    assert wanted is not None
    try:
        return asyncio.run(builder(KEPT).build(wanted, print))
    except BuildFailed as error:
        if "the package index cannot be reached" in str(error):
            pytest.skip(f"cannot be installed here: {error}")
        raise


def run_in(made: Path, code: str, *arguments: str | Path) -> Any:
    """Runs Python code there, which prints JSON at its end."""
    words = [str(made / "bin" / "python"), "-W", "ignore", "-c", code, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def isvc(name: str, mode: str, spec: Mapping[str, object]) -> dict[str, object]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {"serving.kserve.io/deploymentMode": mode}},
        "spec": dict(spec),
    }


@dataclass(frozen=True)
class Services:
    """Of one platform. Their pods end some seconds after their last request."""

    platform: Whole

    def apply(self, *objects: Mapping[str, object]) -> None:
        everything = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.platform.kubectl("apply", "-f", "-", stdin=json.dumps(everything))

    def wait(self, *names: str) -> None:
        """Until they are Ready: names of services, or KIND/NAME."""
        wanted = [name if "/" in name else f"isvc/{name}" for name in names]
        words = ("kubectl", "wait", "--for=condition=Ready", *wanted, f"--timeout={PATIENCE:g}s")
        self.platform.run(*words, timeout=PATIENCE + 10)

    def host(self, name: str, kind: str = "isvc") -> str:
        url = self.platform.kubectl("get", f"{kind}/{name}", "-o", "jsonpath={.status.url}")
        return url.partition("://")[2].partition("/")[0].partition(":")[0]

    def ask(self, name: str, path: str, body: object = None, kind: str = "isvc") -> tuple[int, Any]:
        """Status and answer, through the gateway. A GET where there is no body."""
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Host": self.host(name, kind), "Content-Type": "application/json"}
        request = urllib.request.Request(self.platform.gateway + path, sent, headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, _read(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _read(error.read())

    def infer(self, name: str, rows: Sequence[Sequence[float]], model: str = "", datatype: str = "FP64") -> Any:
        """The first output's numbers, over V2 REST."""
        status, found = self.ask(name, f"/v2/models/{model or name}/infer", v2(rows, datatype))
        assert status == 200, found
        return found["outputs"][0]["data"]

    def at_once(self, name: str, rows: Sequence[Sequence[float]], model: str = "", datatype: str = "FP64") -> list[Any]:
        """Each row in a request of its own."""
        with ThreadPoolExecutor(len(rows)) as clients:
            return list(clients.map(lambda row: self.infer(name, [row], model, datatype), rows))

    def infer_grpc(self, name: str, inputs: Mapping[str, np.ndarray], model: str = "") -> Mapping[str, Any]:
        place = self.platform.gateway.removeprefix("http://")
        with GrpcClient(place, host=self.host(name), timeout=PATIENCE) as client:
            return client.infer(model or name, inputs)

    def containers(self, name: str) -> list[str]:
        path = "jsonpath={.items[*].spec.containers[*].name}"
        words = ("get", "pods", "-l", f"serving.kserve.io/inferenceservice={name}", "-o", path)
        return self.platform.kubectl(*words).split()

    def sleeps(self, name: str) -> None:
        def is_asleep() -> bool:
            return not self.containers(name)

        eventually(is_asleep, PATIENCE)

    def model_is(self, name: str, model: str, *, ready: bool) -> None:
        """Waits until one of its models is, or is not."""

        def is_so() -> bool:
            return (self.ask(name, f"/v2/models/{model}/ready")[0] == 200) is ready

        eventually(is_so, PATIENCE)

    def delete(self, name: str) -> None:
        """A service whose server is started over and over takes the others' time."""
        self.platform.kubectl("delete", "isvc", name, "--wait=false")

    def why(self, name: str) -> str:
        command = [str(INFERPLANE), "why", name]
        done = subprocess.run(command, env=self.platform.environ, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def says_why(self, name: str, words: str) -> None:
        """Waits until `inferplane why` has these words."""

        def is_said() -> bool:
            return words in self.why(name)

        try:
            eventually(is_said, PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"expected {words!r} in: {self.why(name)}") from error


def v2(rows: Sequence[Sequence[float]], datatype: str = "FP64") -> dict[str, object]:
    data = [number for row in rows for number in row]
    tensor = {"name": "x", "shape": [len(rows), len(rows[0])], "datatype": datatype, "data": data}
    return {"id": str(data[0]), "inputs": [tensor]}


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


@contextmanager
def services(directory: Path) -> Iterator[Services]:
    home = directory / "home"
    home.mkdir()
    KEPT.mkdir(parents=True, exist_ok=True)
    (home / "environments").symlink_to(KEPT)
    with whole_platform(home) as platform:
        window = {"data": {"scale-to-zero-grace-period": "1s", "stable-window": "6s"}}
        patch = ("patch", "configmap/config-autoscaler", "-n", "knative-serving", "--type=merge", "-p")
        platform.kubectl(*patch, json.dumps(window))
        yield Services(platform)
