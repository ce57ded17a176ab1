"""Which runtime serves a model: KServe's table of cases."""

import msgspec
import pytest
from tests.unit.controlplane.serving.made import entry, model, runtime

from inferplane.controlplane.serving.selection import NoRuntime, choose
from inferplane.resources.serving.defaults import cluster_serving_runtimes
from inferplane.resources.serving.inferenceservice import ModelSpec
from inferplane.resources.serving.runtime import RuntimeWorkerSpec, ServingRuntime

DEFAULTS = [msgspec.convert(one, ServingRuntime) for one in cluster_serving_runtimes()]


def chosen(wanted: ModelSpec, *cluster: ServingRuntime, namespaced: list[ServingRuntime] | None = None) -> str:
    found = choose(wanted, namespaced or [], cluster)
    return found.reason if isinstance(found, NoRuntime) else found.metadata.name


def test_the_services_namespace_beats_the_cluster_whatever_the_priorities() -> None:
    low, high = runtime("low", entry(priority=1), namespace="ml"), runtime("high", entry(priority=9))
    assert chosen(model(), high, namespaced=[low]) == "low"


def test_priorities_decide_and_runtimes_without_one_come_last() -> None:
    none, two, three = runtime("none"), runtime("two", entry(priority=2)), runtime("three", entry(priority=3))
    assert chosen(model(), none, two, three) == "three"
    assert chosen(model(), none, two) == "two"


def test_the_priority_is_that_of_the_first_entry_of_the_entry() -> None:
    first = runtime("first", entry(version="0", priority=1), entry(version="1", priority=9))
    assert chosen(model(version="1"), first, runtime("second", entry(priority=2))) == "second"


def test_equals_are_ordered_by_protocol_then_youth_then_name() -> None:
    v2 = runtime("a-v2", protocols=["v2", "v1"], created="2026-01-02T00:00:00Z")
    anything = runtime("a-any", created="2026-01-03T00:00:00Z")
    old = runtime("a-old", protocols=["v1"], created="2026-01-01T00:00:00Z")
    assert chosen(model(), anything, old, v2) == "a-v2"
    assert chosen(model(), anything, old) == "a-old"
    assert chosen(model(), runtime("b"), runtime("a")) == "a"


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (model("sklearn"), "kserve-sklearnserver"),
        (model("xgboost"), "kserve-xgbserver"),
        (model("lightgbm"), "kserve-lgbserver"),
        (model("tensorflow"), "kserve-tensorflow-serving"),
        (model("pytorch"), "kserve-torchserve"),
        (model("pmml"), "kserve-pmmlserver"),
        (model("paddle"), "kserve-paddleserver"),
        (model("mlflow"), "inferplane-mlflowserver"),
        (model("mlflow", protocol="v2"), "kserve-mlserver"),
        (model("onnx"), "inferplane-onnxserver"),
        (model("sklearn", protocol="v2"), "kserve-mlserver"),
        (model("xgboost", protocol="v2"), "kserve-mlserver"),
        (model("tensorflow", protocol="v2"), "kserve-tritonserver"),
        (model("onnx", protocol="v2"), "inferplane-onnxserver"),
        (model("huggingface", protocol="v2"), "kserve-huggingfaceserver"),
        (model("sklearn", version="1"), "kserve-sklearnserver"),
        (model("sklearn", version="1.5"), "NoSupportingRuntime"),
        (model("SKLearn"), "NoSupportingRuntime"),
    ],
)
def test_the_default_runtimes_are_chosen_as_kserve_chooses_them_and_ours_beside(wanted: ModelSpec, name: str) -> None:
    assert chosen(wanted, *DEFAULTS) == name


@pytest.mark.parametrize(
    "unfit",
    [
        runtime("off", disabled=True),
        runtime("mesh", multi_model=True),
        runtime("not-auto", entry(auto=False)),
        runtime("v2-only", protocols=["v2"]),
        runtime("nodes", worker_spec=RuntimeWorkerSpec(containers=[])),
    ],
)
def test_what_does_not_fit_is_never_chosen(unfit: ServingRuntime) -> None:
    assert chosen(model(), unfit) == "NoSupportingRuntime"


def test_a_model_that_spans_nodes_needs_a_runtime_that_does() -> None:
    nodes = runtime("nodes", worker_spec=RuntimeWorkerSpec(containers=[]))
    found = choose(model(), [], [runtime("one"), nodes], multi_node=True)
    assert isinstance(found, ServingRuntime)
    assert found.metadata.name == "nodes"


def test_a_named_runtime_needs_no_auto_select_and_the_namespaces_own_goes_first() -> None:
    theirs, ours = runtime("rt", entry(auto=False)), runtime("rt", entry(auto=False), namespace="ml")
    assert choose(model(runtime="rt"), [ours], [theirs]) is ours
    assert choose(model(runtime="rt"), [], [theirs]) is theirs


@pytest.mark.parametrize(
    ("wanted", "rt", "reason", "message"),
    [
        (model(runtime="x"), runtime(), "RuntimeNotRecognized", "Waiting for runtime to become available: no"),
        (model(runtime="rt"), runtime(disabled=True), "RuntimeDisabled", "Specified runtime is disabled: rt has"),
        (
            model(runtime="rt", protocol="v2"),
            runtime(protocols=["v1"]),
            "NoSupportingRuntime",
            "Specified runtime does not support specified protocol version: rt speaks v1, not v2",
        ),
        (
            model("onnx", runtime="rt"),
            runtime(),
            "NoSupportingRuntime",
            "Specified runtime does not support specified framework/version: rt serves sklearn, not 'onnx'",
        ),
        (
            model("sklaern"),
            runtime(),
            "NoSupportingRuntime",
            "No runtime found to support model format 'sklaern' with protocol v1: formats that can be served: sklearn",
        ),
        (
            model("sklearn", version="1"),
            runtime("ml", protocols=["v2"]),
            "NoSupportingRuntime",
            "those that serve the format: ml (v2); set protocolVersion, or runtime to one of them",
        ),
    ],
)
def test_a_refusal_says_what_there_is(wanted: ModelSpec, rt: ServingRuntime, reason: str, message: str) -> None:
    found = choose(wanted, [], [rt])
    assert isinstance(found, NoRuntime)
    assert found.reason == reason
    assert message in found.message
