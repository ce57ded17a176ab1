import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from inferplane import InferenceVerb, Model
from inferplane.dataplane.model.hooks import Hooks, Timings, log_latency
from inferplane.inference.errors import InvalidInput


class Noting(Model):
    """Every hook leaves its name; all sync."""

    def __init__(self, *, response_headers: bool = False) -> None:
        super().__init__("noting", return_response_headers=response_headers)
        self.called: list[str] = []

    def preprocess(self, payload: Any, headers: dict[str, str]) -> Any:
        self.called.append("preprocess")
        return payload

    def validate(self, payload: Any) -> Any:
        self.called.append("validate")
        return payload

    def predict(self, payload: Any, headers: dict[str, str], response_headers: dict[str, str] | None = None) -> Any:
        self.called.append("predict")
        if response_headers is not None:
            response_headers["x-model"] = self.name
        return payload

    def explain(self, payload: Any, headers: dict[str, str]) -> Any:
        self.called.append("explain")
        return payload

    def postprocess(self, result: Any, headers: dict[str, str], response_headers: dict[str, str] | None = None) -> Any:
        self.called.append("postprocess")
        return result


class AsyncPredict(Model):
    async def predict(self, payload: Any, headers: dict[str, str]) -> Any:
        return payload


class SyncPredict(Model):
    def predict(self, payload: Any, headers: dict[str, str]) -> Any:
        return payload


class AsyncAfter(SyncPredict):
    async def postprocess(self, result: Any, headers: dict[str, str]) -> Any:
        return await super().postprocess(result, headers)


class OwnCall(SyncPredict):
    async def __call__(
        self, body: Any, headers: dict[str, str] | None = None, verb: InferenceVerb = InferenceVerb.PREDICT
    ) -> tuple[Any, dict[str, str]]:
        result, further = await super().__call__(body, headers, verb)
        return [result], {**further, "x-own": verb.name}


class Parts(Model):
    def predict(self, payload: Any, headers: dict[str, str]) -> Any:
        yield "a"
        yield "b"


@pytest.mark.parametrize(
    ("model", "predicting", "explaining"),
    [
        (Noting(), False, False),
        (SyncPredict("m"), False, True),
        (AsyncPredict("m"), True, True),
        (AsyncAfter("m"), True, True),
        (OwnCall("m"), True, True),
        (Model("m"), True, True),
    ],
)
def test_a_model_needs_the_loop_when_something_of_it_waits(model: Model, predicting: bool, explaining: bool) -> None:
    hooks = Hooks(model)
    assert (hooks.waits, hooks.explain_waits) == (predicting, explaining)


@pytest.mark.parametrize(("verb", "middle"), [(InferenceVerb.PREDICT, "predict"), (InferenceVerb.EXPLAIN, "explain")])
async def test_hooks_are_called_in_order_and_timed(verb: InferenceVerb, middle: str) -> None:
    model, took = Noting(), Timings()
    assert await Hooks(model).answered(verb, {"instances": [1]}, {}, {}, took) == {"instances": [1]}
    assert model.called == ["preprocess", "validate", middle, "postprocess"]
    assert {name for name in ("predict", "explain") if getattr(took, name) > 0} == {middle}


async def test_headers_of_the_answer_are_an_argument_only_where_asked_for() -> None:
    headers: dict[str, str] = {}
    await Hooks(Noting(response_headers=True)).answered(InferenceVerb.PREDICT, {}, {}, headers)
    assert headers == {"x-model": "noting"}
    await Hooks(Noting()).answered(InferenceVerb.PREDICT, {}, {}, headers)
    assert headers == {"x-model": "noting"}


async def test_the_base_classs_hooks_can_be_awaited() -> None:
    assert await Hooks(AsyncAfter("m")).answered(InferenceVerb.PREDICT, {"instances": [1]}, {}, {}) == {
        "instances": [1]
    }


async def test_an_own_call_replaces_the_order() -> None:
    headers: dict[str, str] = {}
    assert await Hooks(OwnCall("m")).answered(InferenceVerb.PREDICT, 1, {}, headers) == [1]
    assert headers == {"x-own": "PREDICT"}


async def test_a_hook_of_the_instance_goes_before_the_classs() -> None:
    model = SyncPredict("m")
    model.predict = lambda payload, headers: "mine"  # type: ignore[method-assign]  # authors do it
    assert await Hooks(model).answered(InferenceVerb.PREDICT, {}, {}, {}) == "mine"


async def test_a_generators_parts_come_one_by_one() -> None:
    parts = Hooks(Parts("m")).computed(InferenceVerb.PREDICT, {}, {}, {})
    assert isinstance(parts, AsyncIterator)
    assert [part async for part in parts] == ["a", "b"]


async def test_sync_hooks_beside_async_ones_are_handed_to_the_runner() -> None:
    handed: list[str] = []

    async def run(hook: Any, arguments: tuple[object, ...]) -> Any:
        handed.append(hook.__name__)
        return hook(*arguments)

    await Hooks(AsyncAfter("m")).answered(InferenceVerb.PREDICT, {}, {}, {}, None, run)
    assert handed == ["predict"]


@pytest.mark.parametrize("payload", [{"instances": "x"}, {"instances": 1}])
async def test_v1_rows_that_are_no_list_are_refused(payload: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r'^Expected "instances" to be a list$'):
        await SyncPredict("m")(payload)


async def test_a_model_can_be_called_without_a_server() -> None:
    assert await SyncPredict("m")({"instances": [1]}) == ({"instances": [1]}, {})


@pytest.mark.parametrize(
    ("verb", "why"),
    [
        (InferenceVerb.PREDICT, "Could not find PredictorConfig."),
        (InferenceVerb.EXPLAIN, "Could not find explainer_host."),
    ],
)
async def test_without_anybody_to_ask_the_base_class_says_so(verb: InferenceVerb, why: str) -> None:
    with pytest.raises(NotImplementedError, match=f"^{why}$"):
        await Model("m")({}, {}, verb)


def test_latency_is_a_line_for_models_that_want_it(caplog: pytest.LogCaptureFixture) -> None:
    model, took = SyncPredict("m"), Timings(preprocess=0.001, predict=0.0025)
    with caplog.at_level(logging.INFO, "inferplane.trace"):
        log_latency(model, {"x-request-id": "7"}, took)
        model.enable_latency_logging = True
        log_latency(model, {"x-request-id": "7"}, took)
    assert caplog.messages == [
        "requestId: 7, preprocess_ms: 1.000, explain_ms: 0.000, predict_ms: 2.500, postprocess_ms: 0.000"
    ]
