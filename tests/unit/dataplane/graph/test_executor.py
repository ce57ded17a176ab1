"""Each kind of node, by KServe's rules (reference sections 8.3 and 10.5, data plane 72)."""

import asyncio

import pytest
from tests.unit.dataplane.graph.steps import ERROR, SUCCESS, Services, answer, executor, node, text, url

from inferplane.dataplane.graph.bodies import Message
from inferplane.dataplane.graph.executor import NO_MATCH, StepFailed
from inferplane.dataplane.graph.forwarding import Forwarded
from inferplane.kernel.json import JsonObject

OK, BAD = (200, SUCCESS), (404, ERROR)
HARD: JsonObject = {"dependency": "Hard"}


# Sequence.


async def test_g22_the_second_step_gets_the_first_ones_response() -> None:
    services = Services({"one": (200, b'{"predictions":"1"}'), "two": (200, b'{"predictions":"2"}')})
    graph = text(root=node("Sequence", url("one"), url("two", data="$response")))
    found = await executor(graph, services).run(Message(b'{"instances":"x"}'), Forwarded())
    assert found.message.body == b'{"predictions":"2"}'
    assert services.asked == [("one", b'{"instances":"x"}'), ("two", b'{"predictions":"1"}')]


async def test_without_data_each_step_gets_the_nodes_input() -> None:
    services = Services({"one": OK, "two": OK})
    await executor(text(root=node("Sequence", url("one"), url("two"))), services).run(Message(b"[1]"), Forwarded())
    assert services.asked == [("one", b"[1]"), ("two", b"[1]")]


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([url("good"), url("bad")], BAD),
        ([url("bad"), url("good")], OK),
        ([url("bad") | HARD, url("good")], BAD),
        ([url("good"), url("bad") | HARD], BAD),
        ([url("good") | HARD, url("good") | HARD], OK),
    ],
    ids=["soft last", "soft first", "hard first", "hard last", "all good"],
)
async def test_72_a_hard_step_that_fails_ends_a_sequence(steps: list[JsonObject], found: tuple[int, bytes]) -> None:
    assert await answer(text(root=node("Sequence", *steps)), {"good": OK, "bad": BAD}) == found


async def test_g24_an_unmet_condition_ends_a_sequence_with_the_response_before() -> None:
    graph = text(root=node("Sequence", url("one"), url("two", condition='predictions.#(label=="dog")')))
    cat = b'{"predictions":[{"label":"cat"}]}'
    assert await answer(graph, {"one": (503, cat), "two": OK}) == (200, cat)


async def test_g24_a_condition_that_is_met_goes_on() -> None:
    graph = text(root=node("Sequence", url("one"), url("two", condition='predictions.#(label=="dog")')))
    assert await answer(graph, {"one": (200, b'{"predictions":[{"label":"dog"}]}'), "two": OK}) == OK


async def test_a_condition_about_what_is_no_json_fails_the_request() -> None:
    graph = text(root=node("Sequence", url("one"), url("two", condition="x")))
    with pytest.raises(StepFailed, match="root/1: its condition is about a response that is no JSON") as caught:
        await answer(graph, {"one": (200, b"plain"), "two": OK})
    assert caught.value.status == 500


@pytest.mark.parametrize(
    ("step", "sent"),
    [
        ({"data": "$response", "mapPredictionsToInstances": True}, b'{"instances":[1.50,2]}'),
        ({"data": "$response"}, b'{"predictions":[1.50,2],"model":"one"}'),
        ({"data": "$response.predictions"}, b"[1.5,2]"),
        ({"data": "$request.instances.0"}, b"7"),
        ({"data": "$request", "mapPredictionsToInstances": True}, b'{"instances":[7]}'),
    ],
    ids=["mapped", "whole", "part of the response", "part of the request", "nothing to map"],
)
async def test_what_a_step_is_sent(step: JsonObject, sent: bytes) -> None:
    services = Services({"one": (200, b'{"predictions":[1.50,2],"model":"one"}'), "two": OK})
    graph = text(root=node("Sequence", url("one"), url("two") | step))
    await executor(graph, services).run(Message(b'{"instances":[7]}'), Forwarded())
    assert services.asked[1] == ("two", sent)


async def test_data_that_is_not_there_fails_the_request() -> None:
    graph = text(root=node("Sequence", url("one", data="$request.a.b")))
    with pytest.raises(StepFailed, match=r"root/0: data: there is no 'a\.b' in what it would be sent"):
        await answer(graph, {"one": OK}, b'{"a":1}')


# Switch.

SWITCH = text(
    root=node("Switch", url("one", condition='instances.#(modelId=="1")'), url("two", condition="instances.0"))
)


@pytest.mark.parametrize(
    ("request_body", "found"),
    [(b'{"instances":[{"modelId":"1"}]}', 200), (b'{"instances":[{"modelId":"2"}]}', 404)],
)
async def test_a_switch_takes_the_first_step_whose_condition_holds(request_body: bytes, found: int) -> None:
    assert (await answer(SWITCH, {"one": OK, "two": BAD}, request_body))[0] == found


@pytest.mark.parametrize(
    ("request_body", "words"),
    [(b'{"instances":[]}', NO_MATCH), (b"not json", f"{NO_MATCH}: it is no JSON")],
)
async def test_72_a_switch_without_a_match_is_404(request_body: bytes, words: str) -> None:
    with pytest.raises(StepFailed) as caught:
        await answer(SWITCH, {}, request_body)
    assert (str(caught.value), caught.value.status) == (words, 404)


async def test_a_switch_without_a_match_in_another_node_is_named() -> None:
    graph = text(root=node("Sequence", {"nodeName": "inner"}), inner=node("Switch", url("x", condition="a")))
    with pytest.raises(StepFailed) as caught:
        await answer(graph, {})
    assert (str(caught.value), caught.value.status) == (f"inner: {NO_MATCH}", 404)


@pytest.mark.parametrize("inner", ["Switch", "Splitter"])
@pytest.mark.parametrize(("dependency", "found"), [("Soft", OK), ("Hard", BAD)])
async def test_72_a_node_that_fails_in_a_sequence_is_soft_or_hard_as_its_step_says(
    inner: str, dependency: str, found: tuple[int, bytes]
) -> None:
    graph = text(
        root=node("Sequence", {"nodeName": "inner", "dependency": dependency}, url("good")),
        inner=node(inner, url("bad", weight=100, condition="@this" if inner == "Switch" else "")),
    )
    assert await answer(graph, {"good": OK, "bad": BAD}) == found


async def test_a_switch_in_a_sequence_looks_at_what_it_is_sent() -> None:
    graph = text(
        root=node("Sequence", url("classify"), {"nodeName": "judge", "data": "$response"}),
        judge=node("Switch", url("cat", condition="predictions.#(==0)"), url("dog", condition="predictions.#(==1)")),
    )
    answers: dict[str, tuple[int, bytes] | str] = {"classify": (200, b'{"predictions":[1]}'), "dog": OK}
    assert await answer(graph, answers) == OK


# Splitter.


async def test_g28_a_splitter_goes_by_what_is_drawn() -> None:
    services = Services({"most": OK, "few": OK, "none": OK})
    graph = text(root=node("Splitter", url("most", weight=80), url("none", weight=0), url("few", weight=20)))
    draws = iter([0, 79, 80, 99])
    run = executor(graph, services, lambda: next(draws)).run
    for _ in range(4):
        await run(Message(b"{}"), Forwarded())
    assert services.order == ["most", "most", "few", "few"]


@pytest.mark.parametrize("drawn", [0, 99])
async def test_a_splitter_hands_on_the_answer_as_it_is(drawn: int) -> None:
    graph = text(root=node("Splitter", url("good", weight=50), url("bad", weight=50) | HARD))
    assert await answer(graph, {"good": OK, "bad": BAD}, draws=[drawn]) == (OK if drawn == 0 else BAD)


# Ensemble.


async def test_g23_an_ensemble_merges_by_the_names_of_its_steps() -> None:
    graph = text(root=node("Ensemble", url("one", name="model1"), url("two", name="model2"), url("three")))
    answers: dict[str, tuple[int, bytes] | str] = {
        "one": (200, b'{"predictions":"1"}'),
        "two": (200, b' {"predictions": 2.50}\n'),
        "three": (404, ERROR),
    }
    merged = b'{"model1":{"predictions":"1"},"model2":{"predictions": 2.50},"2":{"detail":"Intentional 404 code"}}'
    assert await answer(graph, answers) == (200, merged)


async def test_the_steps_of_an_ensemble_run_at_once() -> None:
    services = Services({"one": OK, "two": OK})
    services.held = {"one": asyncio.Event(), "two": asyncio.Event()}
    running = asyncio.ensure_future(
        executor(text(root=node("Ensemble", url("one"), url("two"))), services).run(Message(b"{}"), Forwarded())
    )
    await services.both_asked.wait()
    for event in services.held.values():
        event.set()
    assert (await running).status == 200


async def test_a_hard_step_that_fails_ends_an_ensemble_and_the_others_are_cancelled() -> None:
    services = Services({"slow": OK, "bad": BAD})
    services.held = {"slow": asyncio.Event()}
    graph = text(root=node("Ensemble", url("slow"), url("bad") | HARD))
    found = await executor(graph, services).run(Message(b"{}"), Forwarded())
    assert (found.status, found.message.body) == BAD
    assert services.cancelled == ["slow"]


async def test_of_two_hard_steps_that_failed_together_the_first_one_answers() -> None:
    services = Services({"one": (400, b'{"one":1}'), "two": (500, b'{"two":2}')})
    gate = asyncio.Event()
    services.held = {"one": gate, "two": gate}
    graph = text(root=node("Ensemble", url("one") | HARD, url("two") | HARD))
    running = asyncio.ensure_future(executor(graph, services).run(Message(b"{}"), Forwarded()))
    await services.both_asked.wait()
    gate.set()
    assert (await running).status == 400


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("connection refused", "root/lost: connection refused"),
        ((200, b"[1]"), "root/lost: only JSON objects can be merged, got HTTP 200 with another body"),
        ((502, b"<html>"), "root/lost: only JSON objects can be merged, got HTTP 502 with another body"),
    ],
)
async def test_a_branch_that_cannot_be_merged_is_named(bad: tuple[int, bytes] | str, words: str) -> None:
    graph = text(root=node("Ensemble", url("good"), url("bad", name="lost")))
    with pytest.raises(StepFailed) as caught:
        await answer(graph, {"good": OK, "bad": bad})
    assert (str(caught.value), caught.value.status) == (words, 500)


async def test_nodes_of_nodes_merge_too() -> None:
    graph = text(
        root=node("Sequence", {"nodeName": "both"}, url("last", data="$response")),
        both=node("Ensemble", {"nodeName": "first", "name": "a"}, url("two", name="b")),
        first=node("Sequence", url("one")),
    )
    services = Services({"one": (200, b'{"x":1}'), "two": (200, b'{"y":2}'), "last": OK})
    await executor(graph, services).run(Message(b"{}"), Forwarded())
    assert services.asked[-1] == ("last", b'{"a":{"x":1},"b":{"y":2}}')


# All of them.


@pytest.mark.parametrize("kind", ["Sequence", "Splitter", "Switch", "Ensemble"])
async def test_a_soft_step_without_an_answer_fails_the_request_and_is_named(kind: str) -> None:
    graph = text(root=node(kind, url("gone", weight=100, condition="@this" if kind == "Switch" else "")))
    with pytest.raises(StepFailed, match="root/0: connection refused"):
        await answer(graph, {"gone": "connection refused"})


async def test_whoever_leaves_cancels_all_branches() -> None:
    services = Services({"one": OK, "two": OK})
    services.held = {"one": asyncio.Event(), "two": asyncio.Event()}
    running = asyncio.ensure_future(
        executor(text(root=node("Ensemble", url("one"), url("two"))), services).run(Message(b"{}"), Forwarded())
    )
    await services.both_asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(services.cancelled) == ["one", "two"]
