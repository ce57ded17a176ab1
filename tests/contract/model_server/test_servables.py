"""TensorFlow Serving's paths and calls, answered by a small model of versions and signatures."""

from collections.abc import Mapping

import grpc
import numpy as np
import orjson
import pytest
from tests.contract.grpc.serving import serving as serving_grpc
from tests.contract.model_server.serving import get, post, serving

from inferplane import Model
from inferplane.inference.tensorflow import tensorflow_serving_pb2 as pb
from inferplane.inference.tensorflow.calls import (
    Answered,
    Call,
    Method,
    State,
    UnknownLabel,
    UnknownVersion,
    Which,
)
from inferplane.inference.tensorflow.signatures import Signatures
from inferplane.inference.tensorflow.tensors import read, write


class Times(Model):
    """Rows times the version; classify and regress tell how many bytes an example has."""

    def __init__(self) -> None:
        super().__init__("t")
        self.ready = True

    @property
    def states(self) -> Mapping[int, State]:
        return {3: State.AVAILABLE, 2: State.LOADING}

    def version_of(self, which: Which) -> int:
        if which.label not in ("", "new"):
            raise UnknownLabel(which.label, ["new"])
        version = which.version or 3
        if version not in self.states:
            raise UnknownVersion(self.name, version, [3, 2])
        return version

    def signatures_of(self, version: int) -> Signatures:
        definitions = pb.SignatureDefMap()
        definitions.signature_def["f"].inputs["x"].dtype = 1
        return Signatures(("serve",), "2.21", {}, definitions)

    def validate(self, payload: object) -> object:
        return payload

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        assert isinstance(payload, Call)
        version = self.version_of(payload.which)
        if payload.method is Method.PREDICT:
            given = payload.rows if payload.tensors is None else next(iter(payload.tensors.values()))
            outputs = {"y": np.array(given, np.float32) * version}
        else:
            sizes = np.array([[len(example)] for example in payload.examples], np.float32)
            outputs = {"scores" if payload.method is Method.CLASSIFY else "outputs": sizes}
        return Answered(self.name, version, payload.signature or "f", outputs)


@pytest.mark.parametrize(
    ("target", "body", "status", "expected"),
    [
        ("t/versions/2:predict", {"instances": [1, 2]}, 200, {"predictions": [2.0, 4.0]}),
        ("t/labels/new:predict", {"inputs": [1, 2]}, 200, {"outputs": [3.0, 6.0]}),
        ("t:classify", {"examples": [{}]}, 200, {"results": [[["", 0.0]]]}),
        ("t/versions/3:regress", {"examples": [{}, {}]}, 200, {"results": [0.0, 0.0]}),
        ("t/versions/4:predict", {"instances": [1]}, 404, "Servable not found for request: Specific(t, 4)"),
        ("t/labels/old:predict", {"instances": [1]}, 400, "Unrecognized servable version label: old; known: new"),
        ("t/versions/2:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
        ("none/versions/2:predict", {"instances": [1]}, 404, "Model with name none does not exist."),
        ("plain/versions/2:predict", {"instances": [1]}, 501, "Model with name plain has no versions"),
        ("plain:regress", {"examples": [{}]}, 501, "Model with name plain has no versions"),
    ],
)
async def test_calls_by_version_and_label(target: str, body: object, status: int, expected: object) -> None:
    plain = Model("plain")
    plain.ready = True
    async with serving(Times(), plain) as server:
        answer = await server.exchange(post(f"/v1/models/{target}", orjson.dumps(body)))
    found = orjson.loads(answer.body)
    assert answer.status == status
    assert found == expected if status == 200 else str(expected) in found["error"]


def state(version: int, name: str) -> dict[str, object]:
    return {"version": str(version), "state": name, "status": {"error_code": "OK", "error_message": ""}}


async def test_states_and_signatures_of_versions() -> None:
    async with serving(Times()) as server:
        targets = ("t", "t/versions/2", "t/labels/new", "t/versions/4", "t/versions/x", "t/labels/new/metadata")
        answers = [await server.exchange(get(f"/v1/models/{target}")) for target in targets]
    all_of_them, one, labelled, unknown, wrong, signatures = (orjson.loads(answer.body) for answer in answers)
    both = [state(3, "AVAILABLE"), state(2, "LOADING")]
    assert all_of_them == {"name": "t", "ready": True, "model_version_status": both}
    assert (one, labelled) == ({"model_version_status": both[1:]}, {"model_version_status": both[:1]})
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 404, 200]
    assert ("error" in unknown, "error" in wrong) == (True, True)
    assert signatures["model_spec"] == {"name": "t", "signature_name": "", "version": "3"}
    assert list(signatures["metadata"]["signature_def"]["signature_def"]) == ["f"]


async def call(address: str, name: str, request: bytes) -> bytes:
    async with grpc.aio.insecure_channel(address) as channel:
        answer: bytes = await channel.unary_unary(f"/tensorflow.serving.{name}")(request, timeout=10)
        return answer


def named(version: int | None = None) -> pb.ModelSpec:
    return pb.ModelSpec(name="t", version=None if version is None else pb.Int64Value(value=version))


async def test_the_services_of_tensorflow_serving() -> None:
    examples = pb.Input(example_list=pb.ExampleList(examples=[pb.Example()]))
    predict = pb.PredictRequest(model_spec=named(version=2))
    predict.inputs["x"].CopyFrom(write(np.array([1.5]), "x"))
    classify = pb.ClassificationRequest(model_spec=named(), input=examples)
    regress = pb.RegressionRequest(model_spec=named(), input=examples)
    metadata = pb.GetModelMetadataRequest(model_spec=named(), metadata_field=["signature_def"])
    async with serving_grpc(Times()) as server:
        found = pb.PredictResponse.FromString(
            await call(server.address, "PredictionService/Predict", predict.SerializeToString())
        )
        classes = await call(server.address, "PredictionService/Classify", classify.SerializeToString())
        numbers = await call(server.address, "PredictionService/Regress", regress.SerializeToString())
        told = await call(server.address, "PredictionService/GetModelMetadata", metadata.SerializeToString())
        states = await call(
            server.address,
            "ModelService/GetModelStatus",
            pb.GetModelStatusRequest(model_spec=named()).SerializeToString(),
        )
    assert (read(found.outputs["y"], "y").tolist(), found.model_spec.version.value) == ([3.0], 2)
    (some,) = pb.ClassificationResponse.FromString(classes).result.classifications
    assert [one.score for one in some.classes] == [0.0]
    assert [one.value for one in pb.RegressionResponse.FromString(numbers).result.regressions] == [0.0]
    packed = pb.GetModelMetadataResponse.FromString(told).metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    assert list(pb.SignatureDefMap.FromString(packed.value).signature_def) == ["f"]
    versions = pb.GetModelStatusResponse.FromString(states).model_version_status
    assert [(one.version, one.state) for one in versions] == [(3, 30), (2, 20)]


@pytest.mark.parametrize(
    ("request_bytes", "code", "words"),
    [
        (b"\x0a\x02\x0a\x00", grpc.StatusCode.INVALID_ARGUMENT, "model_spec.name: missing"),
        (b"\xff", grpc.StatusCode.INVALID_ARGUMENT, "expected a serialised tensorflow.serving.PredictRequest"),
        (b"\x0a\x03\x0a\x01x", grpc.StatusCode.NOT_FOUND, "x does not exist"),
        (b"\x0a\x03\x0a\x01p", grpc.StatusCode.UNIMPLEMENTED, "p has no versions"),
        (b"\x0a\x07\x0a\x01t\x12\x02\x08\x04", grpc.StatusCode.NOT_FOUND, "Specific(t, 4)"),
    ],
)
async def test_mistakes_have_codes(request_bytes: bytes, code: grpc.StatusCode, words: str) -> None:
    plain = Model("p")
    plain.ready = True
    async with serving_grpc(Times(), plain) as server:
        request = request_bytes
        if words == "Specific(t, 4)":
            full = pb.PredictRequest.FromString(request)
            full.inputs["x"].CopyFrom(write(np.array([1.5]), "x"))
            request = full.SerializeToString()
        with pytest.raises(grpc.RpcError) as raised:
            await call(server.address, "PredictionService/Predict", request)
    assert raised.value.code() == code
    assert words in raised.value.details()
