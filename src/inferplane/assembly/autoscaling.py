"""How often use is sampled and autoscalers look at it: Kubernetes' defaults, or what the environment says.

`INFERPLANE_HPA_SYNC_PERIOD`, `INFERPLANE_HPA_DOWNSCALE_STABILIZATION`, `INFERPLANE_HPA_CPU_INITIALIZATION_PERIOD`,
`INFERPLANE_HPA_INITIAL_READINESS_DELAY` (seconds) and `INFERPLANE_HPA_TOLERANCE` (a share) are the flags of
kube-controller-manager; `INFERPLANE_METRICS_RESOLUTION` (seconds) is the one of metrics-server.
"""

from collections.abc import Mapping

from inferplane.controlplane.node.agent import METRICS_RESOLUTION
from inferplane.controlplane.workloads.autoscaling.decide import Settings
from inferplane.controlplane.workloads.autoscaling.usage import Patience
from inferplane.kernel.errors import InferplaneError

# Shorter ones would take more of the machine than what they measure.
_SHORTEST = 0.1


def autoscaling(environ: Mapping[str, str]) -> Settings:
    """Raises InferplaneError that names the variable."""
    default, patience = Settings(), Patience()
    return Settings(
        sync_period=_number(environ, "INFERPLANE_HPA_SYNC_PERIOD", default.sync_period, _SHORTEST),
        downscale_stabilization=_number(
            environ, "INFERPLANE_HPA_DOWNSCALE_STABILIZATION", default.downscale_stabilization
        ),
        tolerance=_number(environ, "INFERPLANE_HPA_TOLERANCE", default.tolerance),
        patience=Patience(
            cpu_initialization=_number(
                environ, "INFERPLANE_HPA_CPU_INITIALIZATION_PERIOD", patience.cpu_initialization
            ),
            initial_readiness=_number(environ, "INFERPLANE_HPA_INITIAL_READINESS_DELAY", patience.initial_readiness),
        ),
    )


def metrics_resolution(environ: Mapping[str, str]) -> float:
    """Seconds. Raises InferplaneError that names the variable."""
    return _number(environ, "INFERPLANE_METRICS_RESOLUTION", METRICS_RESOLUTION, _SHORTEST)


def _number(environ: Mapping[str, str], name: str, default: float, least: float = 0.0) -> float:
    text = environ.get(name, "")
    if not text:
        return default
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not least <= found < float("inf"):
        raise InferplaneError(f"{name}: expected a number of at least {least:g}, got {text!r}")
    return found
