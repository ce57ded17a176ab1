"""The conditions of an InferenceService, by name: Ready follows PredictorReady and IngressReady, nothing else."""

from collections.abc import Mapping, Sequence

from inferplane.controlplane.serving import names
from inferplane.resources import conditions
from inferplane.resources.conditions import FALSE as FALSE
from inferplane.resources.conditions import TRUE as TRUE
from inferplane.resources.conditions import UNKNOWN as UNKNOWN
from inferplane.resources.conditions import Verdict as Verdict
from inferplane.resources.conditions import failed as failed
from inferplane.resources.meta import Condition

READY = "Ready"
PREDICTOR_READY = "PredictorReady"
TRANSFORMER_READY = "TransformerReady"
EXPLAINER_READY = "ExplainerReady"
CANARY_PREDICTOR_READY = "CanaryPredictorReady"
INGRESS_READY = "IngressReady"
STOPPED = "Stopped"
SHADOW_READY = "ShadowReady"
"""Ours; there is one where a shadow is asked for."""

READY_OF = {
    names.PREDICTOR: PREDICTOR_READY,
    names.TRANSFORMER: TRANSFORMER_READY,
    names.EXPLAINER: EXPLAINER_READY,
}

_DEPENDENTS = (PREDICTOR_READY, INGRESS_READY)


def settled(verdicts: Mapping[str, Verdict], before: Sequence[Condition], now: str) -> list[Condition]:
    """The conditions sorted by type, `Ready` added. `now` is RFC 3339."""
    return conditions.settled(verdicts, before, now, _DEPENDENTS)
