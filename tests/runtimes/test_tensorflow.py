"""TensorFlow models through V1, V2, gRPC and TensorFlow Serving's own ways: answers are TensorFlow's own.

One server has them all, by a configuration file of TensorFlow Serving's.
"""

import base64
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)
from tests.runtimes.serving import Server, serving

from inferplane.dataplane.runtimes.options import RuntimeOptions
from inferplane.dataplane.runtimes.tensorflow import TensorFlowModel
from inferplane.dataplane.server.batching.join import RowJoining
from inferplane.inference.errors import InferenceFailure
from inferplane.inference.tensorflow.versions import Policy, Versions

ROWS = np.array([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]], dtype=np.float32)
WEIGHTS = np.array([[0.4, -0.2, 0.1], [0.3, 0.2, -0.5], [-0.6, 0.1, 0.7], [0.2, -0.3, 0.4]], dtype=np.float32)
_LIMIT = 120

Function = TypeVar("Function", bound=Callable[..., Any])


def signature(*inputs: tf.TensorSpec) -> Callable[[Function], Function]:
    decorate: Callable[[Function], Function] = tf.function(input_signature=inputs)
    return decorate


class Flowers(tf.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.table = tf.Variable(scale * WEIGHTS)

    @signature(tf.TensorSpec([None, 4], tf.float32, name="x"))
    def scores(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": tf.nn.softmax(x @ self.table)}

    @signature(tf.TensorSpec([None, 4], tf.float32, name="x"))
    def sums(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": tf.reduce_sum(x, axis=1), "rows": tf.shape(x)[0]}


class Words(tf.Module):
    """Texts and whole numbers in; text, bytes and numbers out."""

    @signature(tf.TensorSpec([None], tf.string, name="text"), tf.TensorSpec([None], tf.int32, name="times"))
    def told(self, text: tf.Tensor, times: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "upper": tf.strings.upper(text),
            "length": tf.strings.length(text) * times,
            "raw_bytes": text,
            "half": tf.cast(times, tf.float16) / tf.constant(2, tf.float16),
        }


class Examples(tf.Module):
    """Takes serialised examples, as TensorFlow's estimators do."""

    def parsed(self, inputs: tf.Tensor) -> tf.Tensor:
        features = {"x": tf.io.FixedLenFeature([], tf.float32), "y": tf.io.FixedLenFeature([], tf.float32, 2.0)}
        found = tf.io.parse_example(inputs, features)
        return found["x"] + found["y"]

    @signature(tf.TensorSpec([None], tf.string, name="inputs"))
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        total = self.parsed(inputs)
        classes = tf.tile(tf.constant([["small", "large"]]), [tf.shape(total)[0], 1])
        return {"classes": classes, "scores": tf.stack([-total, total], axis=1)}

    @signature(tf.TensorSpec([None], tf.string, name="inputs"))
    def regress(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": self.parsed(inputs)[:, None]}


CONFIGURATION = """
model_config_list {
  config {
    name: "m"
    base_path: "flowers"
    model_platform: "tensorflow"
    model_version_policy { all {} }
    version_labels { key: "stable" value: 1 }
    version_labels { key: "canary" value: 3 }
  }
  config { name: "words" base_path: "words" }
  config { name: "examples" base_path: "examples" }
  config { name: "dense" base_path: "dense" }
}
"""


def saved_flowers(directory: Path, scale: float = 1.0) -> Path:
    model = Flowers(scale)
    tf.saved_model.save(model, directory, signatures={"serving_default": model.scores, "sums": model.sums})
    return directory


def scores(scale: float, rows: np.ndarray = ROWS) -> np.ndarray:
    model = Flowers(scale)  # its functions hold it weakly
    found: np.ndarray = model.scores(tf.constant(rows, tf.float32))["scores"].numpy()
    return found


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models")
    for version in (1, 2, 3):
        saved_flowers(directory / "flowers" / str(version), float(version))
    words, examples = Words(), Examples()
    tf.saved_model.save(words, directory / "words" / "0007", signatures=words.told)
    told = {"serving_default": examples.classify, "regress": examples.regress}
    tf.saved_model.save(examples, directory / "examples" / "1", signatures=told)
    dense = tf.keras.Sequential([tf.keras.layers.Input((4,)), tf.keras.layers.Dense(3, activation="softmax")])
    dense.layers[0].set_weights([WEIGHTS, np.zeros(3, np.float32)])
    dense.export(directory / "dense" / "1", verbose=False)
    (directory / "models.config").write_text(CONFIGURATION)
    return directory


@pytest.fixture(scope="module")
def server(models: Path) -> Iterator[Server]:
    with serving("tensorflow", models / "flowers", f"--model_config_file={models / 'models.config'}") as server:
        yield server


@pytest.fixture(scope="module")
def channel(server: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.grpc) as channel:
        yield channel


@pytest.fixture(scope="module")
def service(channel: grpc.Channel) -> Any:
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def get(server: Server, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(server.http + path, timeout=_LIMIT) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


# V1, V2 and gRPC as of every other format.


def test_v1_answers_what_the_library_does(server: Server) -> None:
    np.testing.assert_allclose(server.v1(ROWS.tolist()), scores(3), rtol=1e-6)


def test_v2_answers_what_the_library_does(server: Server) -> None:
    np.testing.assert_allclose(server.v2({"x": ROWS})["scores"], scores(3), rtol=1e-6)


def test_grpc_answers_what_the_library_does(server: Server) -> None:
    found = server.v2_grpc({"x": ROWS})["scores"]
    np.testing.assert_array_equal(found, scores(3))
    assert found.dtype == np.float32


def test_metadata_has_the_default_signature(server: Server) -> None:
    found = server.metadata()
    assert found["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert found["outputs"] == [{"name": "scores", "datatype": "FP32", "shape": [-1, 3]}]


def test_a_keras_model_answers_what_keras_does(server: Server) -> None:
    wanted = tf.nn.softmax(ROWS @ WEIGHTS).numpy()
    np.testing.assert_allclose(server.of("dense").v1(ROWS.tolist()), wanted, rtol=1e-6)


def test_texts_and_bytes_go_both_ways_over_v2(server: Server) -> None:
    texts = np.array([b"one", "zwölf".encode()], dtype=object)
    found = server.of("words").v2_grpc({"text": texts, "times": np.array([1, 2], np.int32)})
    assert found["upper"].tolist() == [b"ONE", "ZWöLF".encode()]
    assert found["raw_bytes"].tolist() == texts.tolist()
    assert (found["length"].tolist(), found["half"].tolist()) == ([3, 12], [0.5, 1.0])


def test_v2_may_name_a_signature(server: Server) -> None:
    tensor = {"name": "x", "shape": [2, 4], "datatype": "FP32", "data": ROWS.ravel().tolist()}
    body = {"inputs": [tensor], "parameters": {"signature_name": "sums"}}
    found = {one["name"]: one["data"] for one in server.post("/v2/models/m/infer", body)["outputs"]}
    np.testing.assert_allclose(found["sum"], ROWS.sum(axis=1), rtol=1e-6)


# TensorFlow Serving's REST.


@pytest.mark.parametrize(
    ("path", "scale"),
    [("", 3), ("/versions/1", 1), ("/versions/2", 2), ("/labels/stable", 1), ("/labels/canary", 3)],
)
def test_a_path_names_a_version_or_a_label(server: Server, path: str, scale: float) -> None:
    found = server.post(f"/v1/models/m{path}:predict", {"instances": ROWS.tolist()})
    np.testing.assert_allclose(found["predictions"], scores(scale), rtol=1e-6)


def test_columns_are_answered_by_columns(server: Server) -> None:
    for inputs in (ROWS.tolist(), {"x": ROWS.tolist()}):
        found = server.post("/v1/models/m:predict", {"inputs": inputs})
        np.testing.assert_allclose(found["outputs"], scores(3), rtol=1e-6)


def test_a_body_names_a_signature(server: Server) -> None:
    body = {"signature_name": "sums", "inputs": ROWS.tolist()}
    found = server.post("/v1/models/m/versions/2:predict", body)["outputs"]
    assert found["rows"] == 2
    np.testing.assert_allclose(found["sum"], ROWS.sum(axis=1), rtol=1e-6)


def test_rows_of_several_inputs_are_objects_and_bytes_are_base64(server: Server) -> None:
    picture = base64.b64encode(b"\xff\x00\x01").decode()
    rows = [{"text": "one", "times": 1}, {"text": {"b64": picture}, "times": 3}]
    one, other = server.of("words").v1(rows)
    assert one == {"upper": "ONE", "length": 3, "raw_bytes": {"b64": "b25l"}, "half": 0.5}
    assert (other["length"], other["raw_bytes"]) == (9, {"b64": picture})
    assert base64.b64decode(other["upper"]["b64"]) == b"\xff\x00\x01"


def test_classify_gives_labels_with_scores(server: Server) -> None:
    body = {"examples": [{"x": 1.0}, {"x": [3.5], "y": 0.5}]}
    assert server.post("/v1/models/examples:classify", body) == {
        "results": [[["small", -3.0], ["large", 3.0]], [["small", -4.0], ["large", 4.0]]]
    }


def test_regress_gives_numbers_and_the_context_is_in_each_example(server: Server) -> None:
    body = {"signature_name": "regress", "context": {"y": 5.0}, "examples": [{"x": 1.0}, {"x": 1.0, "y": 1.5}]}
    assert server.post("/v1/models/examples/versions/1:regress", body) == {"results": [6.0, 2.5]}


def test_status_is_told_of_all_versions_of_one_and_of_a_label(server: Server) -> None:
    def state(version: int) -> dict[str, object]:
        return {"version": str(version), "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}

    told = {"name": "m", "ready": True, "model_version_status": [state(3), state(2), state(1)]}
    assert get(server, "/v1/models/m") == (200, told)
    assert get(server, "/v1/models/m/versions/2") == (200, {"model_version_status": [state(2)]})
    assert get(server, "/v1/models/m/labels/canary") == (200, {"model_version_status": [state(3)]})


def test_metadata_tells_the_signatures(server: Server) -> None:
    status, found = get(server, "/v1/models/m/versions/2/metadata")
    assert (status, found["model_spec"]) == (200, {"name": "m", "signature_name": "", "version": "2"})
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert sorted(signatures) == ["serving_default", "sums"]
    x = signatures["sums"]["inputs"]["x"]
    assert (x["dtype"], [dim["size"] for dim in x["tensor_shape"]["dim"]]) == ("DT_FLOAT", ["-1", "4"])
    assert signatures["sums"]["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("m:predict", {"instances": [[1.0, 2.0]]}, 400, "instances: expected the shape [-1, 4], got [1, 2]"),
        ("m:predict", {"instances": [["a", "b", "c", "d"]]}, 400, "expected a number, got 'a'"),
        ("m:predict", {"instances": []}, 400, 'No values in "instances"'),
        ("m:predict", {"instances": [1], "inputs": [1]}, 400, 'only one of "instances" and "inputs"'),
        ("m:predict", {"rows": []}, 400, "Missing 'inputs' or 'instances' key"),
        ("m:predict", {"signature_name": "none", "instances": [1]}, 400, '"none" not found in signature def'),
        ("m:predict", {"inputs": {"y": [1]}}, 400, "input y: the signature has none of that name; input x: missing"),
        ("m:predict", {"signature_name": "sums", "instances": ROWS.tolist()}, 400, 'send "inputs", not "instances"'),
        ("m/versions/9:predict", {"instances": ROWS.tolist()}, 404, "Specific(m, 9); served: 3, 2, 1"),
        ("m/labels/best:predict", {"instances": ROWS.tolist()}, 400, "Unrecognized servable version label: best"),
        ("other/versions/1:predict", {"instances": [1]}, 404, "other does not exist"),
        ("words:predict", {"instances": [{"text": 1, "times": 2}]}, 400, "input text: expected a text, got 1"),
        ("words:predict", {"instances": [{"text": "a"}]}, 400, "instances[0]: expected text, times, got text"),
        ("words:predict", {"instances": [{"text": "a", "times": 1.5}]}, 400, "1.5 at [0] does not fit INT32"),
        ("words:predict", {"instances": [{"text": {"b64": "?"}, "times": 1}]}, 400, "expected base64 text"),
        ("m:classify", {"examples": [{"x": 1.0}]}, 400, "classify wants one that takes inputs and gives classes"),
        ("examples:classify", {"examples": []}, 400, "expected examples, a list of at least one"),
        ("examples:classify", {"examples": [{"x": [1.0, "a"]}]}, 400, "examples[0].x: expected values of one type"),
        ("examples:classify", {"examples": [{"z": 1.0}]}, 400, "Feature: x (data type: float) is required but"),
    ],
)  # fmt: skip
def test_a_clients_mistake_is_named(server: Server, path: str, body: object, status: int, words: str) -> None:
    code, said = server.refusal(f"/v1/models/{path}", body)
    assert code == status
    assert words in said
    assert "stack traces" not in said


def test_status_and_signatures_of_what_is_not_there_are_404(server: Server) -> None:
    for path in ("m/versions/9", "m/versions/9/metadata", "none/metadata", "m/versions/x"):
        assert get(server, f"/v1/models/{path}")[0] == 404


# TensorFlow Serving's gRPC, by its own client.


def test_predict_answers_what_the_library_does(service: Any) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.model_spec.version.value = 2
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(ROWS))
    answer = service.Predict(request, timeout=_LIMIT)
    np.testing.assert_array_equal(tf.make_ndarray(answer.outputs["scores"]), scores(2))
    assert list(answer.outputs["scores"].float_val) == scores(2).ravel().tolist()
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("m", 2, "serving_default")


def test_predict_takes_texts_and_gives_the_outputs_that_are_asked_for(service: Any) -> None:
    request = predict_pb2.PredictRequest(output_filter=["length", "half"])
    request.model_spec.name = "words"
    request.inputs["text"].CopyFrom(tf.make_tensor_proto([b"\xff\x00", b"abc"]))
    request.inputs["times"].CopyFrom(tf.make_tensor_proto([2, 2], dtype=tf.int32))
    answer = service.Predict(request, timeout=_LIMIT)
    assert {name: tf.make_ndarray(one).tolist() for name, one in answer.outputs.items()} == {
        "length": [4, 6],
        "half": [1.0, 1.0],
    }


def test_one_value_of_a_message_may_stand_for_all(service: Any) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.model_spec.version_label = "stable"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(1.5, dtype=tf.float32, shape=[2, 4]))
    found = tf.make_ndarray(service.Predict(request, timeout=_LIMIT).outputs["scores"])
    np.testing.assert_array_equal(found, scores(1, np.full((2, 4), 1.5)))


def example(**features: float) -> tf.train.Example:
    lists = {name: tf.train.Feature(float_list=tf.train.FloatList(value=[value])) for name, value in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=lists))


def test_classify_and_regress_take_examples(service: Any) -> None:
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "examples"
    request.input.example_list.examples.extend([example(x=1.0), example(x=2.0, y=0.0)])
    found = service.Classify(request, timeout=_LIMIT).result.classifications
    assert [[(one.label, one.score) for one in some.classes] for some in found] == [
        [("small", -3.0), ("large", 3.0)],
        [("small", -2.0), ("large", 2.0)],
    ]
    asked = regression_pb2.RegressionRequest()
    asked.model_spec.name, asked.model_spec.signature_name = "examples", "regress"
    asked.input.example_list_with_context.examples.extend([example(x=1.0)])
    asked.input.example_list_with_context.context.CopyFrom(example(y=7.0))
    assert [one.value for one in service.Regress(asked, timeout=_LIMIT).result.regressions] == [8.0]


def test_signatures_and_status_over_grpc(service: Any, channel: grpc.Channel) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "m"
    answer = service.GetModelMetadata(request, timeout=_LIMIT)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(found)
    assert answer.model_spec.version.value == 3
    assert found.signature_def["serving_default"].inputs["x"].dtype == tf.float32.as_datatype_enum
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "m"
    states = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(asked, timeout=_LIMIT)
    assert [(one.version, one.state) for one in states.model_version_status] == [(3, 30), (2, 30), (1, 30)]


@pytest.mark.parametrize(
    ("model", "version", "value", "code", "words"),
    [
        ("none", 0, ROWS, grpc.StatusCode.NOT_FOUND, "none does not exist"),
        ("m", 9, ROWS, grpc.StatusCode.NOT_FOUND, "Specific(m, 9)"),
        ("", 0, ROWS, grpc.StatusCode.INVALID_ARGUMENT, "model_spec.name: missing"),
        ("m", 0, [[1.0]], grpc.StatusCode.INVALID_ARGUMENT, "input x: expected the shape [-1, 4], got [1, 1]"),
        ("m", 0, ["a"], grpc.StatusCode.INVALID_ARGUMENT, "input x"),
    ],
)
def test_a_clients_mistake_has_its_code(
    service: Any, model: str, version: int, value: object, code: grpc.StatusCode, words: str
) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    if version:
        request.model_spec.version.value = version
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(value))
    with pytest.raises(grpc.RpcError) as raised:
        service.Predict(request, timeout=_LIMIT)
    assert raised.value.code() == code
    assert words in raised.value.details()


# What cannot be loaded, and which versions are.


def why_not(directory: Path, versions: Versions | None = None) -> str:
    with pytest.raises(InferenceFailure) as raised:
        TensorFlowModel("m", directory, RuntimeOptions(versions=versions or Versions())).load()
    return str(raised.value)


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_flowers(tmp_path_factory.mktemp("flowers") / "1").parent


@pytest.fixture
def copy(flowers: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(flowers, tmp_path / "model"))


def test_a_directory_without_a_model_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    said = why_not(tmp_path)
    assert (
        "looked for saved_model.pb in it or in directories named by numbers (1/saved_model.pb), found notes.txt" in said
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("model.keras", "keras.models.load_model('model.keras').export('1')"),
        ("1/model.h5", "keras.models.load_model('model.h5').export('1')"),
        ("model.tflite", "a TensorFlow Lite file"),
        ("1/saved_model.pbtxt", "in text form"),
        ("model.ckpt.index", "a checkpoint has no graph"),
    ],
)
def test_another_file_says_how_to_make_a_saved_model(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"x")
    assert words in why_not(tmp_path)


def test_a_file_that_was_cut_says_so(copy: Path) -> None:
    file = copy / "1" / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:1000])
    assert f"{file}: not the file of a SavedModel, or cut" in why_not(copy)


def test_variables_that_were_cut_say_so(copy: Path) -> None:
    data = copy / "1" / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:10])
    assert f"{copy / '1' / 'variables'}: cut, or not those of this model" in why_not(copy)
    data.unlink()
    assert "variables.data-… is missing, found variables.index" in why_not(copy)


def test_an_operation_that_is_not_there_is_named(copy: Path) -> None:
    file = copy / "1" / "saved_model.pb"
    file.write_bytes(file.read_bytes().replace(b"Softmax", b"Softmix"))
    said = why_not(copy)
    assert "the model needs the operation Softmix, which TensorFlow" in said


def test_a_model_without_signatures_says_how_to_save_one(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), tmp_path / "1")
    said = why_not(tmp_path)
    assert "the model has no signature, nothing that a request could call" in said
    assert "signatures={'serving_default': function}" in said


def test_versions_that_are_not_there_are_named(flowers: Path) -> None:
    assert "no version 2, 3; there are 1" in why_not(flowers, Versions(Policy(specific=(1, 2, 3))))
    assert "label best means version 2, served are 1" in why_not(flowers, Versions(labels={"best": 2}))


def test_the_highest_version_is_served_unless_the_policy_says_otherwise(models: Path) -> None:
    def served(policy: Policy) -> list[int]:
        model = TensorFlowModel("m", models / "flowers", RuntimeOptions(versions=Versions(policy)))
        model.load()
        return list(model.states)

    assert served(Policy()) == [3]
    assert served(Policy(latest=2)) == [3, 2]
    assert served(Policy(specific=(1, 2))) == [2, 1]


def test_a_saved_model_without_a_version_is_version_1(flowers: Path) -> None:
    model = TensorFlowModel("m", flowers / "1")
    model.load()
    assert list(model.states) == [1]
    np.testing.assert_array_equal(model.run({"x": ROWS})["scores"], scores(1))


def test_requests_for_rows_of_any_number_are_joined_where_the_operator_says_so(flowers: Path, models: Path) -> None:
    model, words = TensorFlowModel("m", flowers), TensorFlowModel("words", models / "words")
    model.load()
    words.load()
    assert (model.joins_requests, model.is_exact) == (True, False)
    assert words.joins_requests
    joining = RowJoining(model, inexact=True)
    payloads: list[object] = [{"instances": ROWS}, {"inputs": {"x": ROWS[:1].tolist()}}]
    parts = [joining.part(payload) for payload in payloads]
    assert parts[0].kind == parts[1].kind is not None
    rows, columns = cast("list[dict[str, np.ndarray]]", joining.together(payloads, parts, {}))
    np.testing.assert_allclose(rows["predictions"], scores(1), rtol=1e-6)
    np.testing.assert_allclose(columns["outputs"], scores(1)[:1], rtol=1e-6)
