"""Whether a server answers what the model says: one request, its answer as numbers."""

import http.client
from collections.abc import Iterator

import grpc
import numpy as np
import orjson

from bench.cases import GRPC_METHOD, Case, Request, Wire
from bench.servers import Ports
from inferplane.inference.grpc import grpc_predict_v2_pb2 as pb

_FRAME = 5
_PATIENCE = 60.0


class Wrong(Exception):
    """What came instead of the model's answer."""


def right(case: Case, server: str, ports: Ports) -> int:
    """The length in bytes of a right answer (gRPC: with its frame); Wrong for any other, or none."""
    request = case.request_to(server)
    try:
        values, length = _called(request, ports) if case.wire is Wire.GRPC else _posted(request, ports)
    except (OSError, http.client.HTTPException, grpc.RpcError) as error:
        raise Wrong(_said(error)) from error
    if values.size != len(case.kind.answer) or not np.allclose(values, case.kind.answer, rtol=1e-4):
        raise Wrong(f"answered {values.tolist()[:8]}, the model says {list(case.kind.answer)}")
    return length


def reported_version(ports: Ports) -> str:
    """What a server with V2 says of itself; empty for others."""
    connection = http.client.HTTPConnection("127.0.0.1", ports.http, timeout=_PATIENCE)
    try:
        connection.request("GET", "/v2", headers=_headers(Request("/v2", b""), ports))
        answer = connection.getresponse()
        return str(orjson.loads(answer.read())["version"]) if answer.status == 200 else ""
    finally:
        connection.close()


def _posted(request: Request, ports: Ports) -> tuple[np.ndarray, int]:
    connection = http.client.HTTPConnection("127.0.0.1", ports.http, timeout=_PATIENCE)
    try:
        connection.request("POST", request.path, request.body, _headers(request, ports))
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise Wrong(f"HTTP {answer.status}: {body[:200].decode(errors='replace')}")
    head = answer.getheader("Inference-Header-Content-Length")
    return values_of(body, None if head is None else int(head)), len(body)


def values_of(body: bytes, head: int | None) -> np.ndarray:
    """The numbers in an answer of V1 or V2, flat; `head` is the length of the JSON before binary data."""
    try:
        document = orjson.loads(body if head is None else body[:head])
        if "predictions" in document:
            return np.ravel(np.asarray(document["predictions"], dtype=float))
        only = document["outputs"][0]
        if "data" in only:
            return np.ravel(np.asarray(only["data"], dtype=float))
        return raw_values(body[head:], only["datatype"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise Wrong(f"not an answer of V1 or V2: {body[:200]!r}") from error


def numbers_of(body: bytes) -> np.ndarray:
    """The same where a prediction may be an object of named outputs, in their order."""
    document = orjson.loads(body)
    if "predictions" not in document:
        return values_of(body, None)
    return np.array([value for one in document["predictions"] for value in _leaves(one)], dtype=float)


def _leaves(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield float(value)  # type: ignore[arg-type]  # what is no number is a wrong answer


def raw_values(data: bytes, datatype: str) -> np.ndarray:
    return np.frombuffer(data, {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8", "INT32": "<i4"}[datatype]).astype(float)


def _headers(request: Request, ports: Ports) -> dict[str, str]:
    return {**request.headers, "Host": ports.host} if ports.host else dict(request.headers)


def _called(request: Request, ports: Ports) -> tuple[np.ndarray, int]:
    options = [("grpc.enable_http_proxy", 0), *([("grpc.default_authority", ports.host)] if ports.host else [])]
    with grpc.insecure_channel(f"127.0.0.1:{ports.grpc}", options=options) as channel:
        call = channel.unary_unary(GRPC_METHOD)  # no serializers: bytes in, bytes out
        body: bytes = call(request.body[_FRAME:], timeout=_PATIENCE)
    return _message_values(pb.ModelInferResponse.FromString(body)), len(body) + _FRAME


def _message_values(message: pb.ModelInferResponse) -> np.ndarray:
    if message.raw_output_contents:
        return raw_values(message.raw_output_contents[0], message.outputs[0].datatype)
    if not message.outputs:
        raise Wrong("a message without outputs")
    contents = message.outputs[0].contents
    lists = (contents.int64_contents, contents.int_contents, contents.fp32_contents, contents.fp64_contents)
    return np.array([value for values in lists for value in values], dtype=float)


def _said(error: Exception) -> str:
    if isinstance(error, grpc.Call):
        return f"gRPC {error.code().name}: {error.details()}"
    return f"{type(error).__name__}: {error}"


def speaks(case: Case, server: str, ports: Ports) -> bool:
    """Whether the server is up: it answers, and rightly."""
    try:
        return right(case, server, ports) > 0
    except Wrong:
        return False
