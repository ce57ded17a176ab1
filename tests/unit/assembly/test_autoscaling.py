"""What the environment says about sampling and autoscaling."""

import pytest

from inferplane.assembly.autoscaling import autoscaling, metrics_resolution
from inferplane.controlplane.workloads.autoscaling.decide import Settings
from inferplane.kernel.errors import InferplaneError


def test_without_a_word_kubernetes_defaults_hold() -> None:
    found = autoscaling({})
    assert found == Settings()
    patience = found.patience
    assert (found.sync_period, found.downscale_stabilization, found.tolerance) == (15.0, 300.0, 0.1)
    assert (patience.cpu_initialization, patience.initial_readiness, metrics_resolution({})) == (300.0, 30.0, 15.0)


def test_each_can_be_set() -> None:
    environ = {
        "INFERPLANE_HPA_SYNC_PERIOD": "1",
        "INFERPLANE_HPA_DOWNSCALE_STABILIZATION": "0",
        "INFERPLANE_HPA_TOLERANCE": "0.2",
        "INFERPLANE_HPA_CPU_INITIALIZATION_PERIOD": "2.5",
        "INFERPLANE_HPA_INITIAL_READINESS_DELAY": "3",
        "INFERPLANE_METRICS_RESOLUTION": "0.5",
    }
    found = autoscaling(environ)
    assert (found.sync_period, found.downscale_stabilization, found.tolerance) == (1.0, 0.0, 0.2)
    assert (found.patience.cpu_initialization, found.patience.initial_readiness) == (2.5, 3.0)
    assert metrics_resolution(environ) == 0.5


@pytest.mark.parametrize("text", ["soon", "-1", "0.01", "nan", "inf"])
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(InferplaneError, match=r"INFERPLANE_HPA_SYNC_PERIOD: expected a number of at least 0\.1"):
        autoscaling({"INFERPLANE_HPA_SYNC_PERIOD": text})
