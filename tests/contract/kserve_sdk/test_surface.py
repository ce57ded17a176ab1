"""What the `kserve` package offers to model authors is here too: names, parameters with their defaults, errors.

What is not is named here with a reason; a name that comes or goes on either side fails the suite.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.contract.kserve_sdk.both import kserve_python

SURFACE = Path(__file__).with_name("surface.py")

NOT_HERE = {
    "errors": {
        # Handlers of FastAPI's; ours maps errors in one table.
        "exception_handler",
        "generic_exception_handler",
        "inference_error_handler",
        "invalid_input_handler",
        "model_not_found_handler",
        "model_not_ready_handler",
        "not_implemented_error_handler",
        "server_not_live_handler",
        "server_not_ready_handler",
        "unsupported_protocol_error_handler",
    },
    "model": {"get_latency_ms"},  # of its own log line
    "protocol.infer_type": {
        # Steps of its own codec.
        "deserialize_bytes_tensor",
        "get_content",
        "serialize_byte_tensor",
        "to_grpc_parameters",
        "to_http_parameters",
    },
    "utils.utils": {
        # Parts of its own server and of its client of Kubernetes.
        "cpu_count",
        "create_response_cloudevent",
        "get_current_k8s_namespace",
        "get_default_target_namespace",
        "get_ig_namespace",
        "get_isvc_namespace",
        "is_running_in_k8s",
        "is_structured_cloudevent",
        "to_headers",
    },
}
METHODS_NOT_HERE = {
    "ModelServer.register_signal_handler",  # of its own start
    "ModelServer.setup_event_loop",
    "InferRequest.from_inference_request",  # takes pydantic's form of a request
}
OF_A_MODEL = {"__init__", "explain", "postprocess", "predict", "preprocess"}
"""Ours take any further arguments."""


@pytest.fixture(scope="module")
def theirs() -> Any:
    return offered(kserve_python(), "kserve")


@pytest.fixture(scope="module")
def ours() -> Any:
    return offered(Path(sys.executable), "inferplane")


def offered(python: Path, package: str) -> Any:
    done = subprocess.run([python, SURFACE, package], capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout.splitlines()[-1])


def test_what_is_not_here_is_what_is_said_not_to_be(theirs: Any, ours: Any) -> None:
    missing = {module: set(names) - set(ours["names"][module]) for module, names in theirs["names"].items()}
    assert {module: names for module, names in missing.items() if names} == NOT_HERE


def test_every_call_can_be_made_as_in_kserve(theirs: Any, ours: Any) -> None:
    different, missing = [], set()
    for module, names in theirs["names"].items():
        for name in names.keys() & ours["names"][module].keys():
            for method, given in names[name].items():
                here = ours["names"][module][name]
                if method not in here:
                    missing.add(f"{name}.{method}")
                elif not takes(here[method], given):
                    different.append((module, name, method, given, here[method]))
    assert different == []
    assert missing == METHODS_NOT_HERE


def takes(here: list[list[str]] | None, given: list[list[str]] | None) -> bool:
    """Whether a call with these parameters can be made: same names in the same order, optional where theirs are."""
    if here is None or given is None or any(kind.startswith("VAR_") for _, kind, _ in here):
        return True
    own = [(name, bool(default)) for name, _, default in here]
    asked = [(name, bool(default)) for name, _, default in given]
    return all(mine[0] == other[0] and mine[1] >= other[1] for mine, other in zip(own, asked, strict=False)) and len(
        own
    ) >= len(asked)


def test_errors_say_the_same_and_have_the_same_attributes(theirs: Any, ours: Any) -> None:
    for there, here in zip(theirs["errors"], ours["errors"], strict=True):
        assert here[0] == there[0]
        assert there[1].items() <= here[1].items()
