"""What is well-formed but not there yet: fields that are refused, and fields that have no effect so far."""

from collections.abc import Iterable

from inferplane.resources.serving.defaulting import DEPLOYMENT_MODE
from inferplane.resources.serving.inferenceservice import InferenceService, InferenceServiceSpec


def unsupported(isvc: InferenceService, spec: InferenceServiceSpec, mode: str) -> list[str]:
    """Fields that ask for what this version cannot do yet. `mode` is the effective deployment mode."""
    found: list[str] = []
    if mode not in ("Standard", "Knative"):
        where = f"metadata.annotations[{DEPLOYMENT_MODE}]"
        found.append(f"{where}: {mode} mode is not supported; set it to Standard")
    model = spec.predictor.model
    asked: Iterable[tuple[str, object]] = (
        ("spec.predictor.model.confidential", model.confidential if model else None),
    )
    return found + [f"{path} is not supported yet" for path, value in asked if value is not None]
