# mypy: ignore-errors
# (The packages that this uses are in an environment of their own.)
"""Run by tritonclient's own Python: what its HTTP client says about a server at ADDRESS. Prints one JSON object."""

import json
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

TENSORS = {
    "BOOL": np.array([[True, False]]),
    "UINT8": np.array([[0, 255]], np.uint8),
    "UINT16": np.array([[0, 65535]], np.uint16),
    "UINT32": np.array([[0, 2**32 - 1]], np.uint32),
    "UINT64": np.array([[0, 2**64 - 1]], np.uint64),
    "INT8": np.array([[-128, 127]], np.int8),
    "INT16": np.array([[-(2**15), 2**15 - 1]], np.int16),
    "INT32": np.array([[-(2**31), 2**31 - 1]], np.int32),
    "INT64": np.array([[-(2**63), 2**63 - 1]], np.int64),
    "FP16": np.array([[1.5, -2]], np.float16),
    "FP32": np.array([[0.1, -2]], np.float32),
    "FP64": np.array([[0.1, -2]], np.float64),
    "BYTES": np.array([[b"\xff\x00", b""]], object),
    "large": np.arange(150528, dtype=np.float32).reshape(1, 3, 224, 224),
    "empty": np.zeros((0, 4), np.float32),
}


def main(address: str) -> dict[str, object]:
    client = triton.InferenceServerClient(address)
    told = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": [client.is_model_ready("m"), client.is_model_ready("m", "1"), client.is_model_ready("nobody")],
        "server": client.get_server_metadata()["name"],
        "metadata": client.get_model_metadata("shaped", "1")["inputs"],
        "config": client.get_model_config("shaped")["input"],
        "index": [model["name"] for model in client.get_model_repository_index()],
        "binary": {name: echoed(client, values, True, True) for name, values in TENSORS.items()},
        "json": {
            name: echoed(client, values, False, False)
            for name, values in TENSORS.items()
            if name not in ("FP16", "BYTES")
        },
        "mixed": [echoed(client, TENSORS["FP32"], *ways) for ways in ((True, False), (False, True))],
        "gzip": echoed(client, TENSORS["large"], True, True, request_compression_algorithm="gzip")
        and echoed(client, TENSORS["large"], True, True, response_compression_algorithm="gzip")
        and echoed(client, TENSORS["large"], True, True, response_compression_algorithm="deflate"),
        "classes": infer(client, TENSORS["FP32"], True, [triton.InferRequestedOutput("x", class_count=1)])
        .as_numpy("x")
        .tolist()[0][0]
        .decode(),
        "statistics": client.get_inference_statistics("m")["model_stats"][0]["inference_stats"]["success"]["count"] > 0,
        "unknown": failure(lambda: client.infer("nobody", inputs(TENSORS["FP32"], True))),
        "version_7": failure(lambda: client.infer("m", inputs(TENSORS["FP32"], True), model_version="7")),
    }
    client.load_model("m")
    return told


def inputs(values, binary):
    tensor = triton.InferInput("x", list(values.shape), np_to_triton_dtype(values.dtype))
    tensor.set_data_from_numpy(values, binary_data=binary)
    return [tensor]


def infer(client, values, binary, outputs, **more):
    return client.infer("m", inputs(values, binary), outputs=outputs, request_id="seven", **more)


def echoed(client, values, binary_in, binary_out, **more):
    outputs = [triton.InferRequestedOutput("x", binary_data=binary_out)]
    back = infer(client, values, binary_in, outputs, **more).as_numpy("x")
    return back.dtype == values.dtype and back.shape == values.shape and bool(np.array_equal(back, values))


def failure(call):
    try:
        call()
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return None


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
