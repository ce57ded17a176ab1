"""The URL by which a graph asks a service (reference 8.2 and 10.7, "endpoint for graphs")."""

import msgspec
import pytest

from inferplane.controlplane.serving.graphs.endpoints import NoEndpoint, Service, url
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.runtime import ServingRuntime

ADDRESS = "http://foo-predictor.ml.svc.cluster.local"
V1, V2 = "/v1/models/{}:predict", "/v2/models/{}/infer"
STORED: JsonObject = {"storageUri": "s3://b/m"}


def model(**fields: Json) -> JsonObject:
    return {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, **STORED, **fields}}}


def own(*args: str, **env: str) -> JsonObject:
    """A container of the user's own."""
    variables: list[Json] = [{"name": name, "value": value} for name, value in env.items()]
    return {"containers": [{"image": "x", "args": [*args], "env": variables}]}


def service(spec: JsonObject, *, address: str = ADDRESS, ready: str = "True", message: str = "") -> Service:
    conditions: list[Json] = [{"type": "Ready", "status": ready, "message": message}]
    status: JsonObject = {"conditions": conditions}
    if address:
        status["address"] = {"url": address}
    body: JsonObject = {"metadata": {"name": "foo", "namespace": "ml"}, "spec": spec, "status": status}
    return Service("foo", msgspec.convert(body, InferenceService))


def runtime(name: str, *protocols: str) -> ServingRuntime:
    spec: JsonObject = {"protocolVersions": [*protocols], "containers": []}
    return msgspec.convert({"metadata": {"name": name}, "spec": spec}, ServingRuntime)


RUNTIMES = [runtime("both", "v2", "v1"), runtime("grpc-first", "grpc-v2", "v1"), runtime("grpc", "grpc-v2")]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (model(), V1.format("foo")),
        (model(protocolVersion="v2"), V2.format("foo")),
        ({"predictor": {"sklearn": STORED}}, V1.format("foo")),
        ({"predictor": {"onnx": STORED}}, V2.format("foo")),
        (model(runtime="both"), V2.format("foo")),
        (model(runtime="grpc-first"), V1.format("foo")),
        (model(args=["--model_name=iris"]), V1.format("iris")),
        (model(args=["--model_name", "iris"]), V1.format("iris")),
        (model(env=[{"name": "MLSERVER_MODEL_NAME", "value": "m"}], args=["--model_name=iris"]), V1.format("m")),
        ({"predictor": own()}, V1.format("foo")),
        ({"predictor": own("--model_name=mine")}, V1.format("mine")),
        ({"predictor": own(MULTI_MODEL_SERVER="true")}, ""),
        ({"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}}, ""),
        (model(protocolVersion="v2") | {"transformer": own()}, V1.format("foo")),
        (model() | {"transformer": own(PROTOCOL="v2")}, V2.format("foo")),
        (model() | {"transformer": own("--model_name=t", PROTOCOL="v1")}, V1.format("t")),
    ],
)
def test_the_path_is_that_of_the_model_in_its_protocol(spec: JsonObject, path: str) -> None:
    assert url(service(spec), RUNTIMES, Config()) == ADDRESS + path


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Service("foo", None), "InferenceService foo does not exist"),
        (service(model(), address=""), "InferenceService foo has no address yet"),
        (
            service(model(runtime="none")),
            "InferenceService foo names the runtime none, which does not exist",
        ),
        (
            service(model(runtime="grpc")),
            "InferenceService foo: its runtime grpc speaks grpc-v2, a graph v1 and v2",
        ),
        (
            service({"predictor": {"model": {"modelFormat": {}}}}),
            "InferenceService foo: spec: Object missing required field `name` - at `$.predictor.model.modelFormat`",
        ),
    ],
)
def test_a_service_that_cannot_be_asked_says_why(asked: Service, words: str) -> None:
    with pytest.raises(NoEndpoint) as caught:
        url(asked, RUNTIMES, Config())
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("asked", "trouble"),
    [
        (service(model()), ""),
        (service(model(), ready="False", message="it broke"), "InferenceService foo is not ready: it broke"),
        (service(model(), ready="Unknown"), "InferenceService foo is not ready"),
    ],
)
def test_a_service_that_does_not_answer_is_trouble(asked: Service, trouble: str) -> None:
    assert asked.trouble == trouble
