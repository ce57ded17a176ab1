"""Two answers in, what is different out."""

from collections import Counter

import numpy as np
import pytest

from inferplane.cli.replay.compare import EXACT, Change, Difference, Tolerance, Verdict, compared, power_label
from inferplane.cli.replay.records import Answer
from inferplane.inference import v2
from inferplane.inference.tensors import Array, InferRequest, InferResponse, output


def judged(before: str, after: str, **tolerance: float) -> Difference:
    return compared(Answer(200, before.encode()), Answer(200, after.encode()), Tolerance(**tolerance))


def only(found: Difference) -> Change:
    [change] = found.changes
    return change


def v2_json(data: str, datatype: str = "FP64", name: str = "y", shape: str = "[2]") -> str:
    return (
        f'{{"model_name":"m","id":"1","outputs":[{{"name":"{name}","datatype":"{datatype}","shape":{shape},'
        f'"data":{data}}}]}}'
    )


def test_the_same_classes_are_the_same() -> None:
    assert judged('{"predictions": [1, 2]}', '{"predictions":[1,2]}').verdict is Verdict.SAME


def test_a_changed_class_is_different_whatever_the_tolerance() -> None:
    found = judged('{"predictions": [1, 2, 2]}', '{"predictions": [1, 1, 1]}', relative=10)
    assert (found.verdict, found.words) == (Verdict.DIFFERENT, "predictions [1]: 2, now 1")
    assert only(found).classes == Counter({("2", "1"): 2})
    assert (only(found).rows, only(found).changed_rows) == (3, 2)


def test_texts_are_classes() -> None:
    found = judged('{"predictions": ["a", "b"]}', '{"predictions": ["a", "c"]}')
    assert only(found).classes == Counter({("b", "c"): 1})


@pytest.mark.parametrize(
    ("after", "verdict"),
    [("1.0", Verdict.SAME), ("1.000009", Verdict.CLOSE), ("1.000011", Verdict.DIFFERENT), ("null", Verdict.DIFFERENT)],
)
def test_numbers_are_the_same_within_the_tolerance(after: str, verdict: Verdict) -> None:
    found = judged('{"predictions": [1.0]}', f'{{"predictions": [{after}]}}', relative=1e-5, absolute=0)
    assert found.verdict is verdict


def test_the_absolute_tolerance_is_for_what_is_near_nothing() -> None:
    pair = ('{"predictions": [0.0, 0.5]}', '{"predictions": [0.001, 0.5]}')
    assert judged(*pair, relative=0.1, absolute=0).verdict is Verdict.DIFFERENT
    assert judged(*pair, relative=0, absolute=0.01).verdict is Verdict.CLOSE


def test_a_whole_number_that_became_a_broken_one_is_compared_as_a_number() -> None:
    assert judged('{"predictions": [1]}', '{"predictions": [1.0]}').verdict is Verdict.SAME


def test_rows_of_scores_tell_whose_largest_column_changed() -> None:
    found = judged('{"predictions": [[0.9, 0.1], [0.4, 0.6]]}', '{"predictions": [[0.8, 0.2], [0.75, 0.3]]}')
    change = only(found)
    assert (change.rows, change.changed_rows) == (2, 1)
    assert change.classes == Counter({("column 1", "column 0"): 1})
    assert (round(change.absolute, 9), change.at, change.words) == (0.35, (1, 0), "[1, 0]: 0.4, now 0.75")


def test_differences_are_spread_over_powers_of_ten() -> None:
    found = judged('{"predictions": [1.0, 1.0, 1.0, 1.0]}', '{"predictions": [1.0, 1.001, 1.0005, 3.0]}')
    labels = {power_label(power): count for power, count in only(found).spread.items()}
    assert labels == {"0": 1, "≤ 0.001": 2, "≤ 10": 1}
    assert only(found).spread[EXACT] == 1


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (v2_json("[1.0]", shape="[1]"), "y has shape [1], had [2]"),
        (v2_json("[1.0,2.0]", datatype="FP32"), "y is FP32, was FP64"),
        (v2_json("[1.0,2.0]", name="z"), "y is missing"),
        (v2_json("[1.0]"), "the answer is not a V2 answer"),
        ("rubbish", "the answer is not JSON"),
    ],
)
def test_another_form_is_a_difference_that_names_it(after: str, words: str) -> None:
    found = judged(v2_json("[1.0,2.0]"), after)
    assert found.verdict is Verdict.DIFFERENT
    assert found.words.startswith(words)


def test_ids_and_names_of_models_are_not_compared() -> None:
    before = v2_json("[1.0,2.0]")
    assert judged(before, before.replace('"m"', '"n"').replace('"1"', '"2"')).verdict is Verdict.SAME


def binary(values: Array) -> Answer:
    request = InferRequest("m", [], parameters={"binary_data_output": True})
    pieces = v2.encode(InferResponse("1", "m", [output("y", values)]), request, "1")
    assert isinstance(pieces, list)
    return Answer(200, b"".join(pieces), "application/octet-stream", len(pieces[0]))


def test_v2_binary_answers_are_compared_by_value() -> None:
    before = np.array([[1.0, 2.0]], dtype=np.float32)
    found = compared(binary(before), binary(before + np.float32(0.5)), Tolerance())
    assert (found.verdict, only(found).values, only(found).absolute) == (Verdict.DIFFERENT, 2, 0.5)


def test_another_status_is_a_difference_and_two_refusals_are_none() -> None:
    fine, refused = Answer(200, b"{}"), Answer(400, b'{"error": "no"}')
    assert compared(fine, refused, Tolerance()).words == "status 200, now 400"
    assert compared(refused, Answer(400, b"other words"), Tolerance()).verdict is Verdict.SAME


def test_an_answer_that_was_unreadable_when_recorded_says_nothing() -> None:
    assert judged("cut {", '{"predictions": []}').verdict is Verdict.NOT_COMPARED


def test_rows_with_names_are_compared_place_by_place() -> None:
    found = judged(
        '{"predictions": [{"label": "a", "score": 0.5}, {"label": "b", "score": 0.5}]}',
        '{"predictions": [{"label": "a", "score": 0.7}, {"label": "a", "score": 0.5}]}',
    )
    assert {one.output: one.beyond for one in found.changes} == {"predictions[].label": 1, "predictions[].score": 1}


def test_not_a_number_equals_itself_and_nothing_else() -> None:
    before = np.array([np.nan, 1.0])
    assert compared(binary(before), binary(before), Tolerance()).verdict is Verdict.SAME
    worse = only(compared(binary(before), binary(np.array([0.0, np.inf])), Tolerance()))
    assert (worse.beyond, worse.absolute) == (2, float("inf"))


def test_text_that_is_no_json_is_compared_as_text() -> None:
    one, other = (Answer(200, text, "text/event-stream") for text in (b"data: a", b"data: b"))
    assert compared(one, other, Tolerance()).words == "body [0]: data: a, now data: b"
