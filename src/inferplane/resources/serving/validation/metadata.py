"""Rules about names and annotations."""

import re
from collections.abc import Iterator

from inferplane.resources.serving.config import MODE_ALIASES
from inferplane.resources.serving.defaulting import DEPLOYMENT_MODE
from inferplane.resources.serving.inferenceservice import NAME_PATTERN, InferenceService

AUTOSCALER_CLASS = "serving.kserve.io/autoscalerClass"
CLASSES = ("hpa", "external", "keda", "none")


def problems(isvc: InferenceService) -> Iterator[str]:
    mode = isvc.metadata.annotations.get(DEPLOYMENT_MODE)
    was = MODE_ALIASES.get(isvc.status.deployment_mode, isvc.status.deployment_mode)
    if mode and was and mode != was:
        yield f"metadata.annotations[{DEPLOYMENT_MODE}]: cannot change from {was} to {mode}: delete and create it again"
    if not re.fullmatch(NAME_PATTERN, isvc.metadata.name):
        yield (
            f"metadata.name: {isvc.metadata.name!r} must start with a lower-case letter and hold only lower-case "
            "letters, digits and '-'"
        )
    scaler = isvc.metadata.annotations.get(AUTOSCALER_CLASS)
    if scaler is not None and scaler not in CLASSES:
        yield f"metadata.annotations[{AUTOSCALER_CLASS}]: expected one of {', '.join(CLASSES)}, got {scaler!r}"
