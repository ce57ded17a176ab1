"""What a real API server answered, recorded; ours answers the same.

A step that doesn't hold yet is in LEFT with its reason, and fails this test as soon as it does hold.
"""

import json
import shutil
from pathlib import Path

import pytest
from tests.contract.apiserver.replaying import Replay, Target

from inferplane.kernel.json import JsonObject, list_at, text_at

VECTORS = Path(__file__).parent / "vectors"

# Scenarios that need what runs beside the API server: replayed by tests/contract/test_controllers.py.
NEED_CONTROLLERS: dict[str, str] = {
    "controllers-deployment-zero": "the Deployment controller",
    "gc-custom-owner": "the garbage collector",
    "gc-namespace": "the namespace controller",
    "gc-orphan": "the garbage collector",
    "kubectl-delete-namespace": "the namespace controller",
    "kubectl-rollout-zero": "the Deployment controller",
}

# scenario → {step: why it doesn't hold}
OPENSHIFT = (
    "pods of the recorded server (an OpenShift build) mount openshift-service-ca.crt, which Kubernetes doesn't have"
)
LEFT: dict[str, dict[int, str]] = {
    "defaults-pod-token": {1: OPENSHIFT},
    "validation-pod": {24: OPENSHIFT},
}


def scenarios() -> dict[str, JsonObject]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(VECTORS.glob("*.json"))}


def uses_kubectl(scenario: JsonObject) -> bool:
    return any(isinstance(step, dict) and "kubectl" in step for step in list_at(scenario, "steps"))


def parameters() -> list[object]:
    found = []
    for name, scenario in scenarios().items():
        if name not in NEED_CONTROLLERS:
            lacking = shutil.which("kubectl") is None
            marks = [pytest.mark.kubectl, pytest.mark.skipif(lacking, reason="kubectl is not on the PATH")]
            found.append(pytest.param(scenario, id=name, marks=marks if uses_kubectl(scenario) else []))
    return list(found)


@pytest.mark.parametrize("scenario", parameters())
async def test_every_recorded_step_is_answered_alike(scenario: JsonObject, target: Target, tmp_path: Path) -> None:
    async with Replay(target, tmp_path) as replay:
        failures = await replay.run(scenario)
    left = LEFT.get(text_at(scenario, "id"), {})
    unforeseen = [f"step {n}: {found[0]}" for n, found in failures.items() if n not in left]
    assert not unforeseen, "\n".join(unforeseen)
    assert not left.keys() - failures.keys(), "these hold now: take them out of LEFT"


def test_what_needs_controllers_is_left_out_and_nothing_else() -> None:
    needing = {name for name, scenario in scenarios().items() if scenario["needs"]}
    assert needing == NEED_CONTROLLERS.keys()
    assert LEFT.keys() <= scenarios().keys()
