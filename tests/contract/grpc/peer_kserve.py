# mypy: ignore-errors
# (The packages that this uses are in an environment of their own.)
"""Run by the kserve package's own Python: what its gRPC client says about a server at ADDRESS. Prints one object."""

import asyncio
import json
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest


async def main(address: str, authority: str) -> dict[str, object]:
    arguments = [("grpc.default_authority", authority)] if authority else None
    client = InferenceGRPCClient(address, channel_args=arguments, retries=0)
    told = {
        "live": await client.is_server_live(),
        "ready": await client.is_server_ready(),
        "model_ready": await client.is_model_ready("echo"),
        "typed": await echoed(client, raw=False),
        "raw": await echoed(client, raw=True),
        "unknown": await unknown(client),
    }
    await client.close()
    return told


VALUES = np.array([[1.5, 2.5]], np.float32)


def request(model: str, raw: bool) -> InferRequest:
    tensor = InferInput("x", [1, 2], "FP32")
    tensor.set_data_from_numpy(VALUES, binary_data=raw)
    return InferRequest(model, [tensor], request_id="seven", parameters={"team": "blue"})


async def echoed(client: InferenceGRPCClient, raw: bool) -> list[object]:
    answer = await client.infer(request("echo", raw))
    return [answer.id, answer.outputs[0].as_numpy().tolist(), answer.outputs[0]._raw_data is not None]


async def unknown(client: InferenceGRPCClient) -> list[str]:
    try:
        await client.infer(request("nobody", False))
    except Exception as error:
        return [error.code().name, error.details()]
    return ["OK", ""]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2]))))
