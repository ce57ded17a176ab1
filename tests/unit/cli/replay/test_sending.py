"""A recorded exchange in, the call to another model out; and whether a file is for that model at all."""

import numpy as np
import pytest

from inferplane.cli.replay import fit
from inferplane.cli.replay.paths import model_of, with_model
from inferplane.cli.replay.records import Exchange, RecordError
from inferplane.cli.replay.sending import Models, call_of
from inferplane.client.inference.values import request
from inferplane.inference import v2
from inferplane.kernel.json import JsonObject

V2_BODY = b'{"inputs":[{"name":"x","datatype":"FP64","shape":[1,4],"data":[1,2,3,4]}]}'
V1_BODY = b'{"instances": [[1, 2, 3, 4]]}'
TO_V2 = Models(("iris-v2",), "iris-v2")


def exchange(path: str, body: bytes = V1_BODY, content_type: str = "application/json") -> Exchange:
    return Exchange("a", 1, "POST", path, body, content_type)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/v1/models/iris:predict", "/v1/models/iris-v2:predict"),
        ("/v1/models/iris:explain", "/v1/models/iris-v2:explain"),
        ("/v2/models/iris/infer", "/v2/models/iris-v2/infer"),
        ("/v2/models/iris/versions/3/infer", "/v2/models/iris-v2/infer"),
        ("/v2/models/iris%2Fa/infer?x=1", "/v2/models/iris-v2/infer?x=1"),
        ("/v1/models/iris-v2:predict", "/v1/models/iris-v2:predict"),
        ("/openai/v1/completions", "/openai/v1/completions"),
    ],
)
def test_the_path_gets_the_other_models_name(path: str, there: str) -> None:
    assert call_of(exchange(path), TO_V2).path == there


def test_a_model_that_is_there_under_its_own_name_keeps_it() -> None:
    models = Models(("iris", "iris-v2"), "iris-v2")
    assert call_of(exchange("/v2/models/iris/versions/3/infer"), models).path == "/v2/models/iris/versions/3/infer"


@pytest.mark.parametrize(
    ("body", "there"), [(V1_BODY, "/v1/models/iris-v2:predict"), (V2_BODY, "/v2/models/iris-v2/infer")]
)
def test_without_a_path_the_body_tells_where_it_belongs(body: bytes, there: str) -> None:
    assert call_of(exchange("", body), TO_V2).path == there


def test_without_a_path_and_without_json_it_cannot_be_sent() -> None:
    with pytest.raises(RecordError, match="line 1: neither a path nor JSON"):
        call_of(exchange("", b"\x00"), TO_V2)


def test_a_call_over_grpc_is_asked_over_rest() -> None:
    message = request("iris", {"x": np.ones((1, 4))}).to_grpc().SerializeToString()
    path = "/inference.GRPCInferenceService/ModelInfer"
    call = call_of(exchange(path, message, "application/grpc"), TO_V2)
    length = call.headers.get("inference-header-content-length")
    asked = v2.read(call.body, "iris-v2", int(length) if length else None)
    assert call.path == "/v2/models/iris-v2/infer"
    assert asked.inputs[0].as_numpy().tolist() == [[1, 1, 1, 1]]


def test_other_calls_over_grpc_are_not_replayed() -> None:
    with pytest.raises(RecordError, match="of gRPC only ModelInfer can"):
        call_of(exchange("/inference.GRPCInferenceService/ModelReady", b"", "application/grpc"), TO_V2)


def test_names_in_paths() -> None:
    assert (model_of("/v2/models/a%2Fb/infer"), model_of("/metrics")) == ("a/b", "")
    assert with_model("/serving/ns/x/v1/models/x:predict", "a/b") == "/serving/ns/x/v1/models/a%2Fb:predict"


# --- does it fit? -----------------------------------------------------------------------------------------------------


def metadata(datatype: str = "FP64", *shape: int) -> JsonObject:
    return {"inputs": [{"name": "x", "datatype": datatype, "shape": list(shape)}]}


@pytest.mark.parametrize(
    ("body", "takes", "fits"),
    [
        (V2_BODY, metadata("FP64", -1, 4), True),
        (V2_BODY, metadata("FP32", -1, 4), False),
        (V2_BODY, metadata("FP64", -1, 13), False),
        (V2_BODY, metadata("FP64"), True),
        (V1_BODY, metadata("FP64", -1, 4), True),
        (V1_BODY, metadata("FP64", -1, 13), False),
        (b'{"instances": [{"a": 1}]}', metadata("FP64", -1, 13), True),
        (b"rubbish", metadata("FP64", -1, 13), True),
        (V1_BODY, {}, True),
    ],
)
def test_inputs_that_are_certainly_not_the_models_are_told(body: bytes, takes: JsonObject, fits: bool) -> None:
    asked = exchange("/v2/models/iris/infer" if b"datatype" in body else "/v1/models/iris:predict", body)
    assert fit.misfit(fit.given(asked), fit.wanted(takes)) is not fits


def test_inputs_are_described_as_a_user_would() -> None:
    assert fit.described(fit.given(exchange("/v2/models/iris/infer", V2_BODY))) == "'x' FP64 [1, 4]"
    assert fit.described(fit.given(exchange("/v1/models/iris:predict"))) == "rows [-1, 4]"
