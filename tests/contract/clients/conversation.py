"""The same calls through the clients of one package, `kserve` or `inferplane`: what came back, as JSON.

Runs in the package's own environment. usage: conversation.py PACKAGE HTTP_URL GRPC_ADDRESS
"""

import asyncio
import importlib
import json
import logging
import sys

import numpy as np

sdk = importlib.import_module(sys.argv[1])
types = importlib.import_module("kserve.protocol.infer_type" if sys.argv[1] == "kserve" else "inferplane")
URL, GRPC = sys.argv[2], sys.argv[3]


def tensor(name, values, binary, datatype=None):
    one = sdk.InferInput(name, list(values.shape), datatype or types_of(values))
    one.set_data_from_numpy(values, binary_data=binary)
    return one


def types_of(values):
    names = {"f2": "FP16", "f4": "FP32", "f8": "FP64", "i4": "INT32", "i8": "INT64", "u1": "UINT8", "b1": "BOOL"}
    return names.get(values.dtype.str[1:], "BYTES")


def request(binary, **more):
    text = np.array(["cat", "grün"], dtype=object)
    inputs = [
        tensor("floats", np.array([[0.1, 2.0], [3.0, -4.5]], dtype=np.float32), binary),
        tensor("doubles", np.array([1.5, 1e300]), False if binary == "mixed" else binary),
        tensor("whole", np.array([[1], [-2]], dtype=np.int32), binary),
        tensor("flags", np.array([True, False]), binary),
        tensor("text", text, binary),
    ]
    if binary is True:
        inputs.append(tensor("half", np.array([0.5, 2], dtype=np.float16), True))
    return sdk.InferRequest("echo", inputs, request_id="7", **more)


def shown(answer):
    if not hasattr(answer, "outputs"):
        return answer
    return {
        "id": answer.id,
        "model": answer.model_name,
        "outputs": [[o.name, list(o.shape), o.datatype, values(o)] for o in answer.outputs],
    }


def values(output):
    found = output.as_numpy().ravel().tolist()
    return [one.decode() if isinstance(one, bytes) else one for one in found]


async def attempt(work):
    try:
        return shown(await work)
    except Exception as error:
        code = getattr(error, "code", None)
        if code is not None:
            return ["RpcError", code().name, error.details()]
        return [type(error).__name__, str(error)]


async def rest():
    found = {}
    for protocol in ("v1", "v2", "v3"):
        config = sdk.RESTConfig(protocol=protocol, timeout=20)
        async with sdk.InferenceRESTClient(config) as client:
            found[f"{protocol} live"] = await attempt(client.is_server_live(URL))
            found[f"{protocol} ready"] = await attempt(client.is_server_ready(URL))
            for model in ("echo", "lazy", "absent"):
                found[f"{protocol} {model} ready"] = await attempt(client.is_model_ready(URL, model))
                body = {"instances": [[1, 2.5], ["a", None]]}
                found[f"{protocol} {model} infer"] = await attempt(client.infer(URL, body, model_name=model))
            found[f"{protocol} no model"] = await attempt(client.infer(URL, {}))
            found[f"{protocol} no scheme"] = await attempt(client.infer("localhost:1", {}, model_name="echo"))
            found[f"{protocol} absent explain"] = await attempt(client.explain(URL, "absent", {"instances": []}))
    async with sdk.InferenceRESTClient(sdk.RESTConfig(protocol="v2")) as client:
        for binary in (False, True, "mixed"):
            found[f"tensors {binary}"] = await attempt(client.infer(URL, request(binary), model_name="echo"))
        wanted = [types.RequestedOutput("whole"), types.RequestedOutput("floats", {"binary_data": True})]
        chosen = request(False, request_outputs=wanted)
        found["chosen outputs"] = await attempt(client.infer(URL, chosen, model_name="echo"))
        all_raw = request(True, parameters={"binary_data_output": True})
        found["binary outputs"] = await attempt(client.infer(URL, all_raw, model_name="echo"))
        headers = {}
        await client.infer(URL, request(False), model_name="echo", response_headers=headers)
        found["answer's type"] = headers["content-type"]
        graph = f"{URL}/v1/models/echo:predict"
        found["graph"] = await attempt(client.infer(graph, {"instances": [[1]]}, is_graph_endpoint=True))
    return found


async def grpc():
    found = {}
    async with sdk.InferenceGRPCClient(GRPC, timeout=20) as client:
        found["grpc live"] = await attempt(client.is_server_live())
        found["grpc ready"] = await attempt(client.is_server_ready())
        for model in ("echo", "lazy", "absent"):
            found[f"grpc {model} ready"] = await attempt(client.is_model_ready(model))
        for binary in (False, True):
            found[f"grpc {binary}"] = await attempt(client.infer(request(binary)))
        found["grpc absent"] = await attempt(client.infer(sdk.InferRequest("absent", request(False).inputs)))
        found["grpc wrong type"] = await attempt(client.infer({"inputs": []}))
    return found


def wire():
    """What the types become without a server."""
    found = {}
    for binary in (False, True):
        body, length = request(binary).to_rest()
        found[f"to_rest {binary}"] = [body.hex() if isinstance(body, bytes) else body, length]
        message = request(binary, parameters={"content_type": "pd", "n": 3}).to_grpc()
        found[f"to_grpc {binary}"] = message.SerializeToString(deterministic=True).hex()
    output = sdk.InferOutput("y", [2], "FP32", parameters={"a": "b"})
    output.set_data_from_numpy(np.array([1, 2.5], dtype=np.float32), binary_data=False)
    answer = sdk.InferResponse("7", "m", [output], model_version="2", parameters={"x": 1})
    found["response to_rest"] = list(answer.to_rest())
    found["response to_grpc"] = answer.to_grpc().SerializeToString(deterministic=True).hex()
    raw = sdk.InferResponse("7", "m", [output], use_binary_outputs=True).to_rest()
    found["response binary"] = [raw[0].hex(), raw[1]]
    for wrong in (np.zeros(2, dtype=np.int8), np.zeros((1, 2), dtype=np.float32), [1]):
        try:
            output.set_data_from_numpy(wrong)
        except Exception as error:
            found[f"wrong {np.shape(wrong)}{type(wrong).__name__}"] = [type(error).__name__, str(error)]
    body = b'{"inputs":[{"name":"i","shape":[1,2],"datatype":"INT32","parameters":{"binary_data_size":8}}]}'
    read = sdk.InferRequest.from_bytes(body + bytes.fromhex("0100000002000000"), len(body), "m")
    found["from_bytes"] = [read.inputs[0].as_numpy().tolist(), read.inputs[0].data, read.model_name, read.id]
    found["by name"] = [read.get_input_by_name("i") is read.inputs[0], read.get_input_by_name("z")]
    frame = request(False, parameters={"content_type": "pd"})
    frame.inputs = [one for one in frame.inputs if one.name in ("doubles", "text")]
    found["frame"] = frame.as_dataframe().to_dict(orient="list")
    return found


async def main():
    print(json.dumps({**wire(), **await rest(), **await grpc()}))


logging.disable(logging.CRITICAL)
asyncio.run(main())
