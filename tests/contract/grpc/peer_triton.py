# mypy: ignore-errors
# (The packages that this uses are in an environment of their own.)
"""Run by tritonclient's own Python: what it says about a server at ADDRESS, as JSON. Prints one object."""

import json
import queue
import sys

import numpy as np
import tritonclient.grpc as triton


def main(address: str, authority: str, streams: bool) -> dict[str, object]:
    channel_args = [("grpc.default_authority", authority)] if authority else None
    client = triton.InferenceServerClient(address, channel_args=channel_args)
    told: dict[str, object] = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready("echo"),
        "server": client.get_server_metadata(as_json=True)["name"],
        "metadata": client.get_model_metadata("echo", as_json=True)["name"],
        "config": client.get_model_config("echo", as_json=True)["config"]["name"],
        "statistics": client.get_inference_statistics("echo", as_json=True)["model_stats"][0]["name"],
        "index": client.get_model_repository_index(as_json=True)["models"],
        "tensors": {name: echoed(client, values) for name, values in TENSORS.items()},
        "version_1": infer(client, TENSORS["FP32"], model_version="1").get_response().id,
        "gzip": echoed(client, TENSORS["FP32"], compression_algorithm="gzip"),
        "only": outputs_wanted(client),
        "unknown": failure(lambda: infer(client, TENSORS["FP32"], model="nobody")),
        "version_7": failure(lambda: infer(client, TENSORS["FP32"], model_version="7")),
    }
    client.load_model("echo")
    if streams:
        told["streamed"] = streamed(client)
    return told


TENSORS = {
    "BOOL": np.array([[True, False]]),
    "UINT8": np.array([[0, 255]], np.uint8),
    "INT8": np.array([[-128, 127]], np.int8),
    "INT64": np.array([[-(2**63), 2**63 - 1]], np.int64),
    "UINT64": np.array([[0, 2**64 - 1]], np.uint64),
    "FP16": np.array([[0.5, -2]], np.float16),
    "FP32": np.array([[1.5, 2.5]], np.float32),
    "FP64": np.array([[1e300, 0.1]]),
    "BYTES": np.array([["a", "naïve"]], dtype=object),
    "EMPTY": np.zeros((0, 3), np.float32),
}


def inputs(values: np.ndarray) -> list[triton.InferInput]:
    tensor = triton.InferInput("x", list(values.shape), triton_type(values))
    tensor.set_data_from_numpy(values)
    return [tensor]


def triton_type(values: np.ndarray) -> str:
    from tritonclient.utils import np_to_triton_dtype

    return np_to_triton_dtype(values.dtype)


def infer(client, values, model="echo", **named):
    return client.infer(model, inputs(values), request_id="seven", **named)


def echoed(client, values, **named) -> bool:
    back = infer(client, values, **named).as_numpy("x")
    if values.dtype == object:
        back = np.vectorize(bytes.decode, otypes=[object])(back)
    return bool(back.dtype == values.dtype and back.shape == values.shape and (back == values).all())


def outputs_wanted(client) -> list[str]:
    two = inputs(TENSORS["FP32"])
    other = triton.InferInput("y", [1], "INT32")
    other.set_data_from_numpy(np.array([7], np.int32))
    wanted = [triton.InferRequestedOutput("y")]
    answer = client.infer("echo", [*two, other], outputs=wanted).get_response()
    return [output.name for output in answer.outputs]


def failure(attempt) -> list[str]:
    try:
        attempt()
    except triton.InferenceServerException as error:
        return [error.status(), error.message()]
    return ["OK", ""]


def streamed(client) -> list[list[str]]:
    answers: queue.Queue = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    client.async_stream_infer("echo", inputs(TENSORS["FP32"]), request_id="good")
    client.async_stream_infer("nobody", inputs(TENSORS["FP32"]), request_id="bad")
    found = []
    for _ in range(2):
        result, error = answers.get(timeout=20)
        found.append([result.get_response().id if result else "", error.message() if error else ""])
    client.stop_stream()
    return sorted(found)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], sys.argv[3] == "streams")))
