"""Small ONNX models, made by hand."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

Port = tuple[str, int, Sequence[int | str]]
"""Name, ONNX element type, shape with names for sizes that vary."""


def save(
    path: Path, inputs: Sequence[Port], outputs: Sequence[Port], nodes: Sequence[onnx.NodeProto], **more: int
) -> Path:
    """Writes a graph; `opset` and `ir` are versions."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(*port) for port in inputs],
        [helper.make_tensor_value_info(*port) for port in outputs],
    )
    opsets = [helper.make_opsetid("", more.get("opset", 18)), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = more.get("ir", 9)
    onnx.save(model, path)
    return path


def echo(path: Path, kind: int, shape: Sequence[int | str] = ("n", 2)) -> Path:
    """x → y, unchanged."""
    return save(path, [("x", kind, shape)], [("y", kind, shape)], [helper.make_node("Identity", ["x"], ["y"])])


def sum_and_difference(path: Path) -> Path:
    """a, b → sum, difference; all [n, 2]."""
    ports = {name: (name, TensorProto.FLOAT, ("n", 2)) for name in ("a", "b", "sum", "difference")}
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Sub", ["a", "b"], ["difference"])]
    return save(path, [ports["a"], ports["b"]], [ports["sum"], ports["difference"]], nodes)
