"""What is asked: each protocol and payload as the bytes of one request, and who is asked it how."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import orjson

from bench.launches import OURS
from bench.models import IRIS, PICTURE, Kind
from inferplane.inference.grpc import grpc_predict_v2_pb2 as pb

GATEWAY = f"{OURS}, gateway"
"""Our server again, asked through the gateway of a platform."""

GRPC_METHOD = "/inference.GRPCInferenceService/ModelInfer"
_JSON = {"Content-Type": "application/json"}


class Wire(StrEnum):
    """Who makes the load: wrk or h2load."""

    HTTP = "HTTP/1.1"
    GRPC = "gRPC"


@dataclass(frozen=True)
class Request:
    """A POST. A gRPC body is the message in its frame."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Load:
    """Connections, each with so many requests under way at once."""

    connections: int
    streams: int = 1

    def __str__(self) -> str:
        return f"{self.connections}" if self.streams == 1 else f"{self.connections} × {self.streams}"


@dataclass(frozen=True)
class Case:
    """`paths` has the path for servers that do not have the protocol's own."""

    name: str
    kind: Kind
    wire: Wire
    request: Request
    loads: tuple[Load, ...]
    servers: tuple[str, ...]
    paths: Mapping[str, str] = field(default_factory=dict)

    def request_to(self, server: str) -> Request:
        path = self.paths.get(server, self.request.path)
        return Request(path, self.request.body, self.request.headers)


def v1(kind: Kind) -> Request:
    body = orjson.dumps({"instances": kind.tensor}, option=orjson.OPT_SERIALIZE_NUMPY)
    return Request(f"/v1/models/{kind.name}:predict", body, _JSON)


def v2(kind: Kind) -> Request:
    tensor = {**_described(kind), "data": kind.tensor.ravel()}
    body = orjson.dumps({"inputs": [tensor]}, option=orjson.OPT_SERIALIZE_NUMPY)
    return Request(f"/v2/models/{kind.name}/infer", body, _JSON)


def v2_binary(kind: Kind) -> Request:
    raw = kind.tensor.tobytes()
    tensor = {**_described(kind), "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return Request(f"/v2/models/{kind.name}/infer", head + raw, headers)


def grpc(kind: Kind, *, raw: bool) -> Request:
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="input-0", datatype=kind.datatype, shape=list(kind.tensor.shape)
    )
    # With an id of ours every answer has the same length, which is how answers are told from errors under load.
    message = pb.ModelInferRequest(model_name=kind.name, id="1", inputs=[tensor])
    if raw:
        message.raw_input_contents.append(kind.tensor.tobytes())
    else:
        message.inputs[0].contents.fp64_contents.extend(kind.tensor.ravel().tolist())
    return Request(GRPC_METHOD, framed(message.SerializeToString()))


def framed(message: bytes) -> bytes:
    """gRPC's frame: a byte that says "not compressed", the length in four, the message."""
    return struct.pack(">BI", 0, len(message)) + message


def _described(kind: Kind) -> dict[str, object]:
    return {"name": "input-0", "shape": list(kind.tensor.shape), "datatype": kind.datatype}


IRIS_LOADS = (Load(1), Load(16), Load(64))
GRPC_LOAD = Load(8, 4)
ALONE = (Load(1),)

V1_JSON = Case(
    name="V1 JSON, iris",
    kind=IRIS,
    wire=Wire.HTTP,
    request=v1(IRIS),
    loads=IRIS_LOADS,
    servers=(OURS, GATEWAY, "kserve", "mosec"),
    paths={"mosec": "/inference"},
)
V2_JSON = Case(
    name="V2 JSON, iris",
    kind=IRIS,
    wire=Wire.HTTP,
    request=v2(IRIS),
    loads=IRIS_LOADS,
    servers=(OURS, "kserve", "mlserver", "triton"),
)
GRPC = Case(
    name="V2 gRPC, iris",
    kind=IRIS,
    wire=Wire.GRPC,
    request=grpc(IRIS, raw=False),
    loads=(GRPC_LOAD,),
    servers=(OURS, GATEWAY, "kserve", "mlserver", "triton"),
)
PICTURE_JSON = Case(
    name="V2 JSON, 1×3×224×224",
    kind=PICTURE,
    wire=Wire.HTTP,
    request=v2(PICTURE),
    loads=ALONE,
    servers=(OURS, "kserve", "mlserver", "triton"),
)
PICTURE_BINARY = Case(
    name="V2 binary, 1×3×224×224",
    kind=PICTURE,
    wire=Wire.HTTP,
    request=v2_binary(PICTURE),
    loads=ALONE,
    servers=(OURS, "kserve", "triton"),
)
PICTURE_GRPC = Case(
    name="V2 gRPC raw, 1×3×224×224",
    kind=PICTURE,
    wire=Wire.GRPC,
    request=grpc(PICTURE, raw=True),
    loads=ALONE,
    servers=(OURS, "kserve", "mlserver", "triton"),
)
FULL = (V1_JSON, V2_JSON, GRPC, PICTURE_JSON, PICTURE_BINARY, PICTURE_GRPC)
QUICK = tuple(replace(case, servers=(OURS, "kserve")) for case in (V1_JSON, V2_JSON))
