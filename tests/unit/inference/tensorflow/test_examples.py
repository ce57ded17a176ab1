import numpy as np
import pytest

from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensorflow import tensorflow_serving_pb2 as pb
from inferplane.inference.tensorflow.calls import Answered, Call, Method, Which
from inferplane.inference.tensorflow.examples import answer, call, check
from inferplane.inference.tensorflow.signatures import Signature, TensorSpec
from inferplane.inference.tensors import Array
from inferplane.kernel.json import Json


def features(body: Json) -> list[dict[str, list[object]]]:
    """What the examples of a call hold."""
    found = []
    for content in call(Method.CLASSIFY, body, Which()).examples:
        example = pb.Example.FromString(content)
        found.append({name: values(one) for name, one in example.features.feature.items()})
    return found


def values(feature: pb.Feature) -> list[object]:
    kind = feature.WhichOneof("kind")
    return list(getattr(feature, kind).value) if kind else []


def test_a_feature_is_of_the_type_of_its_values() -> None:
    example: Json = {"i": 1, "f": [0.5, 2.0], "t": ["a", {"b64": "/w=="}], "flag": True, "none": []}
    assert features({"examples": [example]}) == [
        {"i": [1], "f": [0.5, 2.0], "t": [b"a", b"\xff"], "flag": [1], "none": []}
    ]


def test_the_context_is_in_each_example_that_does_not_say_it_itself() -> None:
    body: Json = {"context": {"a": 1, "b": 2}, "examples": [{"b": 3}, {}]}
    assert features(body) == [{"a": [1], "b": [3]}, {"a": [1], "b": [2]}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], 'expected a JSON object with "examples"'),
        ({}, "classify: expected examples, a list of at least one"),
        ({"examples": [1]}, "examples[0]: expected an object of features"),
        ({"examples": [{"x": [1, 2.5]}]}, "examples[0].x: expected values of one type"),
        ({"examples": [{"x": None}]}, "examples[0].x: expected values of one type"),
        ({"examples": [{"x": 2**63}]}, "examples[0].x: 9223372036854775808 does not fit INT64"),
        ({"examples": [{}], "context": 1}, "context: expected an object of features"),
        ({"examples": [{}], "signature_name": 1}, "signature_name: expected a text, got 1"),
    ],
)
def test_what_are_no_examples_is_named(body: Json, words: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        call(Method.CLASSIFY, body, Which())
    assert words in str(raised.value)


def signature(inputs: str, *outputs: str) -> Signature:
    return Signature("s", {inputs: TensorSpec(inputs, 7, (-1,))}, {name: TensorSpec(name, 1, None) for name in outputs})


def test_a_signature_is_made_for_a_method_by_the_names_of_its_tensors() -> None:
    check(signature("inputs", "scores"), Method.CLASSIFY)
    check(signature("inputs", "classes", "scores"), Method.CLASSIFY)
    check(signature("inputs", "outputs"), Method.REGRESS)
    for wrong in (signature("x", "scores"), signature("inputs", "outputs"), signature("inputs", "scores", "more")):
        with pytest.raises(InvalidInput, match="classify wants one that takes inputs and gives classes or scores"):
            check(wrong, Method.CLASSIFY)


def told(method: Method, **outputs: Array) -> object:
    asked = Call(method, examples=[b"", b""])
    return answer(asked, Answered("m", 1, "s", outputs))["results"]


def test_classes_have_labels_and_scores_or_one_of_them() -> None:
    classes = np.array([[b"a", b"b"], [b"c", b"d"]], dtype=object)
    scores = np.array([[0.5, 1.5], [2.0, 0.0]], np.float32)
    assert told(Method.CLASSIFY, classes=classes, scores=scores) == [
        [("a", 0.5), ("b", 1.5)],
        [("c", 2.0), ("d", 0.0)],
    ]
    assert told(Method.CLASSIFY, scores=scores) == [[("", 0.5), ("", 1.5)], [("", 2.0), ("", 0.0)]]
    assert told(Method.CLASSIFY, classes=classes) == [[("a", 0.0), ("b", 0.0)], [("c", 0.0), ("d", 0.0)]]


def test_a_regression_is_one_number_an_example() -> None:
    for shape in ((2,), (2, 1)):
        found = told(Method.REGRESS, outputs=np.array([1.5, 2.5], np.float32).reshape(shape))
        assert isinstance(found, np.ndarray)
        assert found.tolist() == [1.5, 2.5]


def test_outputs_that_are_not_one_an_example_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"output scores: expected the shape \[2, classes\], got \[2\]"):
        told(Method.CLASSIFY, scores=np.zeros(2, np.float32))
    with pytest.raises(InvalidInput, match=r"output outputs: expected the shape \[2\] or \[2, 1\], got \[3\]"):
        told(Method.REGRESS, outputs=np.zeros(3, np.float32))
