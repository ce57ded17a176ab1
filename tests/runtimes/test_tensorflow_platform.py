"""TensorFlow models as InferenceServices: KServe's runtime for them, our server in place of TensorFlow Serving's."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
from tests.e2e.whole import eventually
from tests.runtimes.foreign import PATIENCE, STANDARD, Services, isvc, services

ROWS = [[1.0, 2.0], [3.0, -1.0]]
DOUBLED = [[2.0, 4.0], [6.0, -2.0]]


class Double(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = tf.Variable(2.0)

    def doubled(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": self.factor * x}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with services(tmp_path_factory.mktemp("platform")) as found:
        yield found


@pytest.fixture(scope="module")
def double(platform: Services, tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("double")
    model = Double()
    function = tf.function(model.doubled, input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    tf.saved_model.save(model, directory / "1", signatures=function)
    service = isvc("double", STANDARD, {"predictor": {"tensorflow": {"storageUri": f"file://{directory}"}}})
    service["metadata"]["annotations"]["inferplane.dev/grpc-bridge"] = "true"  # type: ignore[index]  # plain JSON
    platform.apply(service)
    platform.wait("double")
    return "double"


def test_the_gateway_leads_to_a_model_of_kserves_runtime(platform: Services, double: str) -> None:
    assert platform.ask(double, "/v1/models/double:predict", {"instances": ROWS}) == (200, {"predictions": DOUBLED})
    path = "/v1/models/double/versions/1:predict"
    assert platform.ask(double, path, {"inputs": ROWS}) == (200, {"outputs": DOUBLED})
    runtime = "jsonpath={.status.servingRuntimeName}{.status.clusterServingRuntimeName}"
    assert platform.platform.kubectl("get", "isvc/double", "-o", runtime) == "kserve-tensorflow-serving"


def test_its_status_and_signatures_are_there(platform: Services, double: str) -> None:
    status, found = platform.ask(double, "/v1/models/double")
    assert (status, [one["state"] for one in found["model_version_status"]]) == (200, ["AVAILABLE"])
    status, found = platform.ask(double, "/v1/models/double/metadata")
    assert (status, list(found["metadata"]["signature_def"]["signature_def"])) == (200, ["serving_default"])


def test_tensorflow_servings_client_reaches_it_through_the_gateway(platform: Services, double: str) -> None:
    place = platform.platform.gateway.removeprefix("http://")
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "double"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.array(ROWS, np.float32)))
    with grpc.insecure_channel(place, options=[("grpc.default_authority", platform.host(double))]) as channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=PATIENCE)
    assert tf.make_ndarray(answer.outputs["y"]).tolist() == DOUBLED


def test_a_keras_file_is_told_with_the_fix(platform: Services, tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"x")
    platform.apply(isvc("keras", STANDARD, {"predictor": {"tensorflow": {"storageUri": f"file://{tmp_path}"}}}))
    advice = "keras.models.load_model('model.keras').export('1') makes a SavedModel"
    eventually(lambda: advice in platform.why("keras"), PATIENCE)
