"""ONNX models: tensors by name, in the types that the graph declares."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
onnx = pytest.importorskip("onnx", reason="the package onnx, which makes the tests' models, is not installed")

from onnx import TensorProto, helper  # noqa: E402
from tests.unit.dataplane.runtimes import graphs  # noqa: E402

from inferplane import InferInput, InferRequest, InferResponse, InvalidInput  # noqa: E402
from inferplane.dataplane.runtimes.onnx import ONNXModel, Provider, chosen_providers  # noqa: E402
from inferplane.dataplane.runtimes.options import DEFAULTS, RuntimeOptions  # noqa: E402
from inferplane.inference.errors import ModelLoadError  # noqa: E402
from inferplane.inference.tensors import Array, RequestedOutput, TensorMetadata  # noqa: E402

TYPES: dict[int, tuple[str, list[object]]] = {
    TensorProto.BOOL: ("BOOL", [True, False]),
    TensorProto.UINT8: ("UINT8", [0, 255]),
    TensorProto.UINT16: ("UINT16", [0, 65535]),
    TensorProto.UINT32: ("UINT32", [0, 2**32 - 1]),
    TensorProto.UINT64: ("UINT64", [0, 2**64 - 1]),
    TensorProto.INT8: ("INT8", [-128, 127]),
    TensorProto.INT16: ("INT16", [-32768, 32767]),
    TensorProto.INT32: ("INT32", [-(2**31), 2**31 - 1]),
    TensorProto.INT64: ("INT64", [-(2**63), 2**63 - 1]),
    TensorProto.FLOAT16: ("FP16", [0.5, -2.0]),
    TensorProto.FLOAT: ("FP32", [0.5, -2.0]),
    TensorProto.DOUBLE: ("FP64", [0.1, -1e300]),
    TensorProto.STRING: ("BYTES", ["x", "é"]),
}


def served(file: Path, options: RuntimeOptions = DEFAULTS) -> ONNXModel:
    model = ONNXModel("m", file.parent, options)
    model.load()
    return model


def predicted(model: ONNXModel, **payload: object) -> dict[str, Any]:
    result = model.predict(payload, {})
    assert isinstance(result, dict)
    return {key: value.tolist() if isinstance(value, np.ndarray) else _plain(value) for key, value in result.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def outputs(model: ONNXModel, *inputs: InferInput) -> dict[str, tuple[str, list[int], list[object]]]:
    response = model.predict(InferRequest("m", list(inputs)), {})
    assert isinstance(response, InferResponse)
    return {one.name: (one.datatype, list(one.shape), one.as_numpy().tolist()) for one in response.outputs}


@pytest.mark.parametrize("kind", TYPES)
def test_every_datatype_goes_through_v2_unchanged(tmp_path: Path, kind: int) -> None:
    datatype, values = TYPES[kind]
    model = served(graphs.echo(tmp_path / "m.onnx", kind))
    assert outputs(model, InferInput("x", [1, 2], datatype, values)) == {"y": (datatype, [1, 2], [values])}
    assert model.get_input_types() == [TensorMetadata("x", datatype, [-1, 2])]
    assert model.get_output_types() == [TensorMetadata("y", datatype, [-1, 2])]


@pytest.mark.parametrize("kind", TYPES)
def test_every_datatype_goes_through_v1_unchanged(tmp_path: Path, kind: int) -> None:
    values = TYPES[kind][1] if kind != TensorProto.UINT64 else [0, 2**63]
    model = served(graphs.echo(tmp_path / "m.onnx", kind))
    assert predicted(model, instances=[values, values]) == {"predictions": [values, values]}


def test_text_that_came_as_bytes_is_text_to_the_graph(tmp_path: Path) -> None:
    model = served(graphs.echo(tmp_path / "m.onnx", TensorProto.STRING))
    raw = InferInput("x", [1, 2], "BYTES", np.array([[b"x", "é".encode()]], dtype=object))
    assert outputs(model, raw) == {"y": ("BYTES", [1, 2], [["x", "é"]])}


def test_a_sole_input_may_have_any_name_in_v2(tmp_path: Path) -> None:
    model = served(graphs.echo(tmp_path / "m.onnx", TensorProto.FLOAT))
    assert outputs(model, InferInput("input-0", [1, 2], "FP32", [1, 2])) == {"y": ("FP32", [1, 2], [[1, 2]])}


@pytest.mark.parametrize(
    "payload",
    [
        {"instances": [{"a": [3, 4], "b": [1, 1]}, {"b": [2, 2], "a": [5, 5]}]},
        {"inputs": {"a": [[3, 4], [5, 5]], "b": [[1, 1], [2, 2]]}},
    ],
)
def test_several_inputs_are_given_by_name_and_several_outputs_come_by_name(
    tmp_path: Path, payload: dict[str, object]
) -> None:
    model = served(graphs.sum_and_difference(tmp_path / "m.onnx"))
    rows = [{"sum": [4, 5], "difference": [2, 3]}, {"sum": [7, 7], "difference": [3, 3]}]
    assert predicted(model, **payload) == {"predictions": rows}


def test_several_tensors_in_any_order_over_v2(tmp_path: Path) -> None:
    model = served(graphs.sum_and_difference(tmp_path / "m.onnx"))
    found = outputs(model, InferInput("b", [1, 2], "FP32", [1, 1]), InferInput("a", [1, 2], "FP32", [3, 4]))
    assert found == {"sum": ("FP32", [1, 2], [[4, 5]]), "difference": ("FP32", [1, 2], [[2, 3]])}


def test_outputs_without_rows_are_answered_whole(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0), helper.make_node("Shape", ["x"], ["shape"])]
    ports = [("total", TensorProto.FLOAT, ()), ("shape", TensorProto.INT64, (2,))]
    model = served(graphs.save(tmp_path / "m.onnx", [("x", TensorProto.FLOAT, ("n", 2))], ports, nodes))
    assert predicted(model, instances=[[1, 2]]) == {"outputs": {"total": 3.0, "shape": [1, 2]}}


def test_a_size_of_one_at_the_end_may_be_left_out_or_added(tmp_path: Path) -> None:
    (tmp_path / "column").mkdir()
    column = served(graphs.echo(tmp_path / "column" / "m.onnx", TensorProto.FLOAT, ("n", 1)))
    flat = served(graphs.echo(tmp_path / "m.onnx", TensorProto.FLOAT, ("n",)))
    assert predicted(column, instances=[1, 2]) == {"predictions": [[1], [2]]}
    assert predicted(flat, instances=[[1], [2]]) == {"predictions": [1, 2]}


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (TensorProto.INT64, [[1, 1.5]], r"^instances: 1\.5 at \[0, 1\] does not fit INT64$"),
        (TensorProto.UINT8, [[1, 256]], r"^instances: 256 at \[0, 1\] does not fit UINT8$"),
        (TensorProto.INT32, [[None, 1]], r"^instances: nan at \[0, 0\] does not fit INT32$"),
        (TensorProto.FLOAT16, [[1, 1e9]], r"does not fit FP16$"),
        (TensorProto.FLOAT, [["a", 1]], r"^instances\[0\]\[0\]: expected a number, got 'a'$"),
        (TensorProto.STRING, [["a", 1]], r"^instances: expected text, got 1$"),
        (TensorProto.FLOAT, [[1, 2, 3]], r"^instances: expected the shape \[-1, 2\], got \[1, 3\]$"),
        (TensorProto.FLOAT, [[1, 2], [3]], r"^instances"),
    ],
)
def test_values_that_do_not_fit_are_the_clients_mistake(
    tmp_path: Path, kind: int, values: list[object], message: str
) -> None:
    model = served(graphs.echo(tmp_path / "m.onnx", kind))
    with pytest.raises(InvalidInput, match=message):
        predicted(model, instances=values)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"inputs": {"a": [[1, 2]], "c": [[1, 2]]}}, r"^input c: the model has none of that name; input b: missing; "),
        ({"instances": [[1, 2]]}, r"takes 2 inputs: a \(FP32 \[-1, 2\]\), b .*: send one object a row"),
        ({"instances": [{"a": [1, 2], "b": [1, 2]}, {"a": [1, 2]}]}, r"^instances\[1\]: expected a, b, got a$"),
    ],
)
def test_inputs_that_are_not_the_models_are_named(tmp_path: Path, payload: dict[str, object], message: str) -> None:
    model = served(graphs.sum_and_difference(tmp_path / "m.onnx"))
    with pytest.raises(InvalidInput, match=message):
        predicted(model, **payload)


def test_a_size_with_one_name_must_be_one_size(tmp_path: Path) -> None:
    model = served(graphs.sum_and_difference(tmp_path / "m.onnx"))
    with pytest.raises(InvalidInput, match=r"^input b: n is 1, but 2 in input a$"):
        predicted(model, inputs={"a": [[1, 2], [3, 4]], "b": [[1, 2]]})


def test_what_only_the_graph_can_refuse_is_the_clients_mistake(tmp_path: Path) -> None:
    table = onnx.numpy_helper.from_array(np.array([1.0, 2.0], dtype=np.float32), "table")
    nodes = [helper.make_node("Constant", [], ["t"], value=table), helper.make_node("Gather", ["t", "x"], ["y"])]
    ports = [("x", TensorProto.INT64, ("n",)), ("y", TensorProto.FLOAT, ("n",))]
    model = served(graphs.save(tmp_path / "m.onnx", ports[:1], ports[1:], nodes))
    with pytest.raises(InvalidInput, match="indices element out of data bounds, idx=7"):
        predicted(model, instances=[7])


def test_maps_are_objects_in_v1_and_columns_in_v2(tmp_path: Path) -> None:
    node = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_strings=["no", "yes"])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])
    kind = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    )
    graph = helper.make_graph([node], "g", [x], [helper.make_value_info("y", kind)])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    proto = helper.make_model(graph, opset_imports=opsets)
    proto.ir_version = 9
    onnx.save(proto, tmp_path / "m.onnx")
    model = served(tmp_path / "m.onnx")
    assert predicted(model, instances=[[0.25, 0.75]]) == {"predictions": [{"no": 0.25, "yes": 0.75}]}
    found = outputs(model, InferInput("x", [2, 2], "FP32", [0.25, 0.75, 1, 0]))
    assert found == {"y": ("FP32", [2, 2], [[0.25, 0.75], [1, 0]])}
    assert model.get_output_types() == [TensorMetadata("y", "FP32", [-1, -1])]


def test_requests_may_share_a_run_when_all_tensors_have_the_same_rows_and_only_if_told(tmp_path: Path) -> None:
    model = served(graphs.sum_and_difference(tmp_path / "m.onnx"))
    assert (model.joins_requests, model.is_exact) == (True, False)


def test_a_graph_with_a_fixed_number_of_rows_does_not_share_runs(tmp_path: Path) -> None:
    assert not served(graphs.echo(tmp_path / "m.onnx", TensorProto.FLOAT, (1, 2))).joins_requests


@pytest.mark.parametrize("width", [3, 64, 768])
def test_rows_together_and_one_by_one_give_the_same_numbers(tmp_path: Path, width: int) -> None:
    random = np.random.default_rng(width)
    weights = onnx.numpy_helper.from_array(random.normal(size=(width, width)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Constant", [], ["w"], value=weights),
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Softmax", ["h"], ["y"]),
    ]
    x, y = (("x", TensorProto.FLOAT, ("n", width)), ("y", TensorProto.FLOAT, ("n", width)))
    model = served(graphs.save(tmp_path / "m.onnx", [x], [y], nodes))
    rows = random.normal(size=(17, width)).astype(np.float32)

    def answers(some: Array) -> NDArray[np.float32]:
        return model.predict_rows({"x": some})["y"].astype(np.float32)

    alone = np.concatenate([answers(rows[i : i + 1]) for i in range(len(rows))])
    # A matrix product may be summed in another order for another number of rows.
    np.testing.assert_allclose(answers(rows), alone, rtol=1e-5, atol=1e-7)


def test_a_requested_output_is_one_of_the_graphs(tmp_path: Path) -> None:
    model = served(graphs.sum_and_difference(tmp_path / "m.onnx"))
    inputs = [InferInput(name, [1, 2], "FP32", [1, 1]) for name in ("a", "b")]
    response = model.predict(InferRequest("m", inputs, request_outputs=[RequestedOutput("difference")]), {})
    assert isinstance(response, InferResponse)
    assert response.get_output_by_name("difference") is not None


@pytest.mark.parametrize(("versions", "told"), [({"ir": 99}, "IR version"), ({"opset": 99}, "pset")])
def test_a_model_of_a_newer_format_is_told_with_the_versions_known_here(
    tmp_path: Path, versions: dict[str, int], told: str
) -> None:
    port = ("x", TensorProto.FLOAT, ("n",))
    node = helper.make_node("Identity", ["x"], ["y"])
    file = graphs.save(tmp_path / "m.onnx", [port], [("y", TensorProto.FLOAT, ("n",))], [node], **versions)
    with pytest.raises(ModelLoadError) as caught:
        served(file)
    text = str(caught.value)
    assert told in text
    assert "99" in text
    assert f"this is onnxruntime {onnxruntime.__version__}" in text


def test_an_element_type_without_a_form_in_the_protocols_is_refused_at_load(tmp_path: Path) -> None:
    file = graphs.echo(tmp_path / "m.onnx", TensorProto.BFLOAT16)
    with pytest.raises(ModelLoadError, match=r"x is of type tensor\(bfloat16\), which V1 and V2 have no form for"):
        served(file)


def test_a_provider_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    file = graphs.echo(tmp_path / "m.onnx", TensorProto.FLOAT)
    with pytest.raises(ModelLoadError, match=r"has no NoSuchProvider; it has .*CPUExecutionProvider"):
        served(file, RuntimeOptions(providers=("NoSuchProvider",)))


# Where a graph runs.

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("wanted", "device", "have", "expected"),
    [
        ((), "", (CPU,), [CPU]),
        ((), "cpu", (CUDA, CPU), [CPU]),
        ((), "", (CUDA, CPU), [(CUDA, {"device_id": "0"}), CPU]),
        ((), "cuda", (CUDA, CPU), [(CUDA, {"device_id": "0"}), CPU]),
        ((), "cuda:2", (CUDA, CPU), [(CUDA, {"device_id": "2"}), CPU]),
        ((CPU,), "cuda", (CUDA, CPU), [CPU]),
    ],
)
def test_a_graph_runs_where_it_is_asked_to_else_on_the_first_gpu(
    wanted: tuple[str, ...], device: str, have: tuple[str, ...], expected: list[Provider]
) -> None:
    assert chosen_providers(wanted, device, have, Path("m.onnx")) == expected


@pytest.mark.parametrize(
    ("device", "said"), [("cuda", f"has no {CUDA}; it has {CPU}"), ("tpu", "the device tpu"), ("cuda:x", "cuda:x")]
)
def test_a_device_that_is_not_there_is_named(device: str, said: str) -> None:
    with pytest.raises(ModelLoadError, match=said):
        chosen_providers((), device, (CPU,), Path("m.onnx"))
