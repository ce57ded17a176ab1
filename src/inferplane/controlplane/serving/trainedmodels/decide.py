"""What becomes of the TrainedModels of one InferenceService: which its server gets, and what their status says. Pure.

KServe's rules (reference section 8.4), looked at for all models of a parent together. A model that was given its share
of the memory keeps it, so that nothing that happens to the parent takes a model away from its server; those that came
later get what is left, the oldest first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from inferplane.resources import conditions
from inferplane.resources.conditions import TRUE, Verdict, failed
from inferplane.resources.meta import condition
from inferplane.resources.serving.inferenceservice import Address, InferenceService
from inferplane.resources.serving.trainedmodel import TrainedModel, TrainedModelStatus

SERVICE_READY = "InferenceServiceReady"
IS_MULTI_MODEL = "IsMMSPredictor"
MEMORY = "MemoryResourceAvailable"
FRAMEWORK = "FrameworkSupported"
_DEPENDENTS = (SERVICE_READY, IS_MULTI_MODEL, MEMORY, FRAMEWORK)

BY_MEASURE = "inferplane.dev/model-memory"
"""Annotation of the parent. `measured`: `memory` bounds one model only, and the server keeps in memory what fits."""
_MEASURED = "measured"


@dataclass(frozen=True, slots=True)
class Parent:
    """What matters of an InferenceService. `problem`: why it has no server for many models, empty when it has one.

    `limit` is the memory limit of the server's container in bytes, None without one. `formats` are those that the
    server is for; none when nobody knows. `path` leads to a model: `/v1/models/{}:predict`.
    """

    isvc: InferenceService
    problem: str
    limit: Fraction | None
    formats: Sequence[str]
    path: str

    @property
    def ready(self) -> bool:
        found = condition(self.isvc.status.conditions, conditions.READY)
        return found is not None and found.status == "True"

    @property
    def measures(self) -> bool:
        return self.isvc.metadata.annotations.get(BY_MEASURE) == _MEASURED


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Of one model. `served`: it is on the server's list."""

    model: TrainedModel
    verdicts: Mapping[str, Verdict]
    served: bool

    @property
    def is_new(self) -> bool:
        """It gets its share now."""
        return self.served and not self.model.is_allocated


def decide(parent: Parent, models: Sequence[TrainedModel]) -> list[Verdicts]:
    """Of those that are not being deleted, by name."""
    order = sorted(models, key=lambda one: (not one.is_allocated, one.metadata.creation_timestamp or "", one.name))
    common = {SERVICE_READY: _service_ready(parent), IS_MULTI_MODEL: _is_multi_model(parent)}
    taken, found = Fraction(0), []
    for model in order:
        memory = _memory(parent, model, taken)
        verdicts = {**common, MEMORY: memory, FRAMEWORK: _framework(parent, model)}
        fits = all(one.is_true for one in verdicts.values())
        served = fits or (model.is_allocated and not parent.problem)
        if fits or model.is_allocated:
            taken += _bytes(model)
        found.append(Verdicts(model, verdicts, served))
    return sorted(found, key=lambda one: one.model.name)


def without_parent(name: str) -> Mapping[str, Verdict]:
    """Of a model that came before its InferenceService."""
    words = f"there is no InferenceService {name} in this namespace"
    return {SERVICE_READY: failed("InferenceServiceNotReady", words)}


def _service_ready(parent: Parent) -> Verdict:
    if parent.ready:
        return TRUE
    name = parent.isvc.metadata.name
    found = condition(parent.isvc.status.conditions, conditions.READY)
    why = f": {found.reason}: {found.message}".rstrip(": ") if found is not None and found.reason else ""
    return failed("InferenceServiceNotReady", f"InferenceService {name} is not ready{why}")


def _is_multi_model(parent: Parent) -> Verdict:
    return failed("IsNotMMSPredictor", parent.problem) if parent.problem else TRUE


def _memory(parent: Parent, model: TrainedModel, taken: Fraction) -> Verdict:
    """`taken` by those that come before it."""
    own, limit, name = _bytes(model), parent.limit, parent.isvc.metadata.name
    if parent.problem or limit is None or (0 if parent.measures else taken) + own <= limit:
        return TRUE
    words = (
        f"it needs {model.spec.model.memory}, and the container of InferenceService {name} is limited to {_mib(limit)}"
    )
    if own <= limit:
        words += f", of which {_mib(taken)} are taken by other TrainedModels"
    return failed("MemoryResourceNotAvailable", words)


def _framework(parent: Parent, model: TrainedModel) -> Verdict:
    framework, known = model.spec.model.framework, [one.lower() for one in parent.formats]
    if parent.problem or not known or framework.lower() in known:
        return TRUE
    words = f"the server of InferenceService {parent.isvc.metadata.name} has no {framework}, only"
    return failed("FrameworkNotSupported", f"{words} {', '.join(sorted(parent.formats))}")


def _bytes(model: TrainedModel) -> Fraction:
    try:
        return model.spec.model.bytes
    except ValueError:
        return Fraction(0)  # no quantity: refused by the schema


def _mib(amount: Fraction) -> str:
    return f"{float(amount) / 1024**2:.0f}Mi"


# --- what is written --------------------------------------------------------------------------------------------------


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    storage_uri: str
    framework: str
    memory: str


class _Entry(msgspec.Struct, frozen=True, rename="camel"):
    model_name: str
    model_spec: _Spec


def listed(verdicts: Sequence[Verdicts]) -> str:
    """`models.json` of the parent's server, in KServe's form."""
    entries = [
        _Entry(one.model.name, _Spec(source.storage_uri, source.framework, str(source.memory)))
        for one in verdicts
        if one.served and (source := one.model.spec.model)
    ]
    return msgspec.json.encode(entries).decode()


def status(parent: Parent, one: Verdicts, now: str) -> TrainedModelStatus:
    model, service = one.model, parent.isvc.status
    path = parent.path.format(model.name)
    address = service.address.url if service.address is not None else ""
    return TrainedModelStatus(
        conditions=conditions.settled(one.verdicts, model.status.conditions, now, _DEPENDENTS),
        observed_generation=model.metadata.generation,
        url=f"{service.url}{path}" if service.url else "",
        address=Address(url=f"{address}{path}") if address else None,
    )
