"""Decisions recorded from Knative's own autoscaler (see README.md here): ours are the same, tick by tick."""

import gzip
import json
from pathlib import Path

import msgspec
import pytest

from inferplane.controlplane.autoscaling.replay import differences, replay
from inferplane.controlplane.autoscaling.traces import Tick, Trace, Update, read
from inferplane.kernel.json import JsonObject

RECORDED: dict[str, JsonObject] = json.loads(gzip.decompress(Path(__file__).with_name("recorded.json.gz").read_bytes()))


def trace(name: str) -> Trace:
    return read(json.dumps(RECORDED[name]).encode(), name)


@pytest.mark.parametrize("name", RECORDED)
def test_every_decision_and_every_rule_is_the_recorded_one(name: str) -> None:
    assert differences(trace(name)) == []


def test_nothing_is_passed_over() -> None:
    decisions = [one for name in RECORDED for one in replay(trace(name))]
    updates = [step for name in RECORDED for step in trace(name).steps if isinstance(step, Update)]
    assert len(decisions) == 14_588
    assert sum(one.step.poke for one in decisions) == 28
    assert sum(one.verdict is None for one in decisions) == 152
    assert sum(one.is_panicking for one in decisions) == 6_343
    assert all(one.step.valid is not None for one in decisions)
    assert all(one.rules.resolved for one in updates)
    assert len(updates) == 6


@pytest.mark.parametrize("field", ["stable", "panic", "valid", "desired", "ebc", "panic_mode", "max_panic_pods"])
def test_a_decision_that_is_not_the_recorded_one_is_found(field: str) -> None:
    good = trace("burst-03")
    at = next(n for n, step in enumerate(good.steps) if isinstance(step, Tick) and step.t == 66)
    changed = msgspec.structs.replace(good.steps[at], **{field: 77})
    found = differences(msgspec.structs.replace(good, steps=[*good.steps[:at], changed, *good.steps[at + 1 :]]))
    assert len(found) == 1
    assert found[0].startswith("tick at 66: ")
    assert "recorded 77" in found[0]


def test_an_average_that_is_off_by_more_than_a_billionth_is_found() -> None:
    good = trace("wexp-01")
    at = next(n for n, step in enumerate(good.steps) if isinstance(step, Tick) and step.t == 20)
    step = good.steps[at]
    assert isinstance(step, Tick)
    assert step.stable
    off = msgspec.structs.replace(step, stable=step.stable * (1 + 2e-9))
    assert len(differences(msgspec.structs.replace(good, steps=[*good.steps[:at], off, *good.steps[at + 1 :]]))) == 1


def test_a_rule_that_is_not_the_recorded_one_is_found() -> None:
    good = trace("burst-03")
    config = msgspec.structs.replace(good.config, annotations={"target": "5"})
    assert differences(msgspec.structs.replace(good, config=config)) == [
        "config: target_value: recorded 7.0, here 3.5",
        "config: total_value: recorded 10.0, here 5.0",
    ]
