"""What classify and regress take and give: examples of features in, labels with scores or numbers out.

    {"signature_name": "…", "context": {…}, "examples": [{"feature": value or [values], …}, …]}
    → {"results": [[["label", score], …], …]}   or   {"results": [number, …]}

A feature is of one type: whole numbers (true and false among them), numbers with a point, or text and bytes. What is in
`context` is in each example that has no feature of that name.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np

from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensorflow import tensorflow_serving_pb2 as pb
from inferplane.inference.tensorflow.calls import Answered, Call, Method, Which
from inferplane.inference.tensorflow.rest import from_base64, is_base64, signature_name
from inferplane.inference.tensorflow.signatures import Signature
from inferplane.inference.tensors import Array
from inferplane.kernel.json import Json

INPUTS = "inputs"
"""The name of the one input of such a signature, which takes serialised examples."""

_CLASSES, _SCORES, _OUTPUTS = "classes", "scores", "outputs"


def call(method: Method, payload: Json, which: Which) -> Call:
    """What a JSON body asks for."""
    if not isinstance(payload, dict):
        raise InvalidInput('expected a JSON object with "examples"')
    context = payload.get("context")
    shared = None if context is None else _example(context, "context")
    examples = payload.get("examples")
    if not isinstance(examples, list) or not examples:
        raise InvalidInput(f"{method}: expected examples, a list of at least one")
    found = [_example(one, f"examples[{index}]") for index, one in enumerate(examples)]
    return Call(method, which, signature_name(payload), examples=serialised(found, shared))


def of_message(method: Method, which: Which, signature: str, given: pb.Input) -> Call:
    """What a ClassificationRequest or RegressionRequest asks for."""
    with_context = given.example_list_with_context
    shared = with_context.context if with_context.HasField("context") else None
    examples = list(given.example_list.examples) or list(with_context.examples)
    if not examples:
        raise InvalidInput("input: expected at least one example")
    return Call(method, which, signature, examples=serialised(examples, shared))


def serialised(examples: Sequence[pb.Example], context: pb.Example | None) -> list[bytes]:
    """Each with the features of `context` that it has not itself."""
    if context is not None:
        for example in examples:
            for name, feature in context.features.feature.items():
                if name not in example.features.feature:
                    example.features.feature[name].CopyFrom(feature)
    return [example.SerializeToString(deterministic=True) for example in examples]


def _example(features: Json, where: str) -> pb.Example:
    if not isinstance(features, dict):
        raise InvalidInput(f"{where}: expected an object of features")
    example = pb.Example()
    for name, value in features.items():
        example.features.feature[name].CopyFrom(_feature(value, f"{where}.{name}"))
    return example


def _feature(value: Json, where: str) -> pb.Feature:
    values = value if isinstance(value, list) else [value]
    if not values:
        return pb.Feature()
    if all(isinstance(one, int) for one in values):  # bools too
        return pb.Feature(int64_list=pb.Int64List(value=_whole(cast("list[int]", values), where)))
    if all(isinstance(one, float) for one in values):
        return pb.Feature(float_list=pb.FloatList(value=cast("list[float]", values)))
    return pb.Feature(bytes_list=pb.BytesList(value=[_as_bytes(one, where) for one in values]))


def _whole(values: "list[int]", where: str) -> "list[int]":
    for value in values:
        if not -(1 << 63) <= value < 1 << 63:
            raise InvalidInput(f"{where}: {value} does not fit INT64")
    return [int(value) for value in values]


def _as_bytes(value: Json, where: str) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and is_base64(value):
        return from_base64(value["b64"], where)
    raise InvalidInput(f"{where}: expected values of one type: whole numbers, numbers with a point, or texts")


def check(signature: Signature, method: Method) -> None:
    """InvalidInput where the signature is not made for the method. Its method_name is not asked for, as by default in
    TensorFlow Serving: what TensorFlow 2 saves always says predict."""
    gives = (_CLASSES, _SCORES) if method is Method.CLASSIFY else (_OUTPUTS,)
    if signature.inputs.keys() != {INPUTS} or not signature.outputs.keys() <= set(gives) or not signature.outputs:
        takes, given = (", ".join(names) or "nothing" for names in (signature.inputs, signature.outputs))
        raise InvalidInput(
            f"signature {signature.name}: {method} wants one that takes {INPUTS} and gives {' or '.join(gives)}; "
            f"it takes {takes} and gives {given}",
            fix="name another in signature_name, or use predict",
        )


def classified(answered: Answered, count: int) -> "list[list[tuple[str, float]]]":
    """Labels with scores, one list an example; "" and 0 where the signature gives only the other."""
    classes = _table(answered.outputs.get(_CLASSES), _CLASSES, count)
    scores = _table(answered.outputs.get(_SCORES), _SCORES, count)
    shape = next(table.shape for table in (classes, scores) if table is not None)
    if scores is not None and scores.shape != shape:
        raise InvalidInput(f"{_CLASSES} have the shape {list(shape)}, {_SCORES} {list(scores.shape)}")
    labels = np.full(shape, b"", dtype=object) if classes is None else classes
    numbers = np.zeros(shape, np.float32) if scores is None else scores
    return [
        [(_label(label), value) for label, value in zip(some, values, strict=True)]
        for some, values in zip(_rows(labels), _rows(numbers), strict=True)
    ]


def _rows(table: Array) -> "list[list[float]]":
    return cast("list[list[float]]", table.tolist())


def _table(values: Array | None, name: str, count: int) -> Array | None:
    if values is None or (values.ndim == 2 and len(values) == count):
        return values
    raise InvalidInput(f"output {name}: expected the shape [{count}, classes], got {list(values.shape)}")


def _label(label: object) -> str:
    return label.decode(errors="replace") if isinstance(label, bytes) else str(label)


def regressed(answered: Answered, count: int) -> Array:
    """One number an example."""
    values = answered.outputs[_OUTPUTS]
    if values.shape not in ((count,), (count, 1)):
        raise InvalidInput(f"output {_OUTPUTS}: expected the shape [{count}] or [{count}, 1], got {list(values.shape)}")
    return values.reshape(count)


def answer(asked: Call, answered: Answered) -> dict[str, object]:
    """The JSON body."""
    count = len(asked.examples)
    if asked.method is Method.REGRESS:
        return {"results": regressed(answered, count)}
    return {"results": classified(answered, count)}
