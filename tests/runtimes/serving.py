"""A model server as a process of its own, and the three protocols as its clients speak them."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray

_LIMIT = 120

Arrays = Mapping[str, NDArray[Any]]


class DidNotStart(Exception):
    """With what the server said."""


@dataclass(frozen=True)
class Server:
    """Of one model, called `m`; of a directory of models where another `name` is asked for."""

    http: str
    grpc: str
    name: str = "m"

    def of(self, name: str) -> "Server":
        return replace(self, name=name)

    def v1(self, instances: object) -> Any:
        return self.post(f"/v1/models/{self.name}:predict", {"instances": instances})["predictions"]

    def v2(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        body = {"inputs": [_tensor(name, array) for name, array in inputs.items()]}
        answer = self.post(f"/v2/models/{self.name}/infer", body)
        return {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in answer["outputs"]}

    def v2_grpc(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        client = triton.InferenceServerClient(self.grpc)
        given = []
        for name, array in inputs.items():
            one = triton.InferInput(name, list(array.shape), triton.np_to_triton_dtype(array.dtype))
            one.set_data_from_numpy(array)
            given.append(one)
        answer = client.infer(self.name, given, client_timeout=_LIMIT)
        found = {one.name: answer.as_numpy(one.name) for one in answer.get_response().outputs}
        client.close()
        return found

    def metadata(self) -> Any:
        with urllib.request.urlopen(f"{self.http}/v2/models/{self.name}", timeout=_LIMIT) as answer:
            return json.loads(answer.read())

    def post(self, path: str, body: object) -> Any:
        request = urllib.request.Request(self.http + path, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=_LIMIT) as answer:
            return json.loads(answer.read())

    def refusal(self, path: str, body: object) -> tuple[int, str]:
        """The status and the words of a request that is not answered."""
        try:
            answer = self.post(path, body)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["error"]
        raise AssertionError(f"was answered: {answer}")


_READY = re.compile(r"ready model=\S+ url=(\S+) grpc=(\S+)")


@contextmanager
def serving(format: str, directory: Path, *flags: str) -> Iterator[Server]:
    """DidNotStart when the model cannot be loaded."""
    process = subprocess.Popen(
        [sys.executable, "-m", "inferplane.assembly.model_server", f"--format={format}", "--model_name=m",
         f"--model_dir={directory}", "--host=127.0.0.1", "--http_port=0", "--grpc_port=0", *flags],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        yield _announced(process)
    finally:
        process.kill()
        process.communicate()


def _announced(process: subprocess.Popen[str]) -> Server:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        ready = _READY.search(line)
        if ready:
            return Server(ready[1], ready[2])
        said.append(line)
    raise DidNotStart("".join(said))


def why_not(format: str, directory: Path, *flags: str) -> str:
    """The last line that a server says about a model that it cannot load."""
    try:
        with serving(format, directory, *flags):
            raise AssertionError("the model was loaded")
    except DidNotStart as error:
        return str(error).strip().splitlines()[-1]


def _tensor(name: str, array: NDArray[Any]) -> dict[str, object]:
    datatype = triton.np_to_triton_dtype(array.dtype)
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": array.ravel().tolist()}
