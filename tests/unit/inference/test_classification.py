import pytest

from inferplane.inference.classification import classified
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import InferOutput, RequestedOutput


def highest(shape: list[int], values: list[float], count: object, datatype: str = "FP64") -> InferOutput:
    return classified(InferOutput("s", shape, datatype, values), RequestedOutput("s", {"classification": count}))  # type: ignore[dict-item]  # wrong ones too


@pytest.mark.parametrize(
    ("shape", "values", "count", "found"),
    [
        ([3], [0.25, 0.5, 0.25], 2, ["0.5:1", "0.25:0"]),
        ([2, 2], [1.0, 2.0, 4.0, 3.0], 1, [["2.0:1"], ["4.0:0"]]),
        ([1, 2, 2], [1.0, 2.0, 4.0, 3.0], 2, [["4.0:2", "3.0:3"]]),
        ([2], [1.0, 2.0], 9, ["2.0:1", "1.0:0"]),
    ],
)
def test_the_highest_come_first_and_of_equals_the_lower_index(
    shape: list[int], values: list[float], count: int, found: object
) -> None:
    output = highest(shape, values, count)
    assert (output.datatype, output.view().tolist()) == ("BYTES", found)


@pytest.mark.parametrize("count", [0, -1, True, "2", 1.5])
def test_a_count_is_1_or_more(count: object) -> None:
    with pytest.raises(InvalidInput, match=r"output s: parameters\.classification: expected 1 or more"):
        highest([2], [1.0, 2.0], count)


def test_text_and_nothing_have_no_classes() -> None:
    for output in (InferOutput("s", [1], "BYTES", ["a"]), InferOutput("s", [0], "FP32", [])):
        with pytest.raises(InvalidInput, match="has no classes"):
            classified(output, RequestedOutput("s", {"classification": 1}))
