"""What is wrong with an InferenceService, in words: the rules of KServe's validating webhook, in its order.

There are no webhooks here. What a schema can say (types, enumerations, patterns, bounds) is in the types, and so in the
CRD, and what CEL can say of one object is in the CRD too (`resources.crds.rules`); reading a spec into the types checks
it once more, as a cluster may have somebody else's CRD. The rest is here. The controller shows the messages in the
condition PredictorReady, `inferplane validate` at the line of the file. KServe stops at the first; here all are told.

`unsupported` names what is well-formed but not there yet.
"""

from collections.abc import Iterable, Iterator

from inferplane.resources.serving.inferenceservice import InferenceService, InferenceServiceSpec
from inferplane.resources.serving.validation import canary, containers, metadata, scaling, storage, workers
from inferplane.resources.serving.validation.metadata import AUTOSCALER_CLASS
from inferplane.resources.serving.validation.parts import named_components
from inferplane.resources.serving.validation.support import unsupported

__all__ = ["AUTOSCALER_CLASS", "problems", "unsupported"]


def problems(isvc: InferenceService, spec: InferenceServiceSpec, gpu_types: Iterable[str] = ()) -> list[str]:
    """`isvc` after defaulting and its typed `spec`; an empty list means that it is valid.

    `gpu_types`: names of GPU resources beside the well-known ones (`multiNode.customGPUResourceTypeList`).
    """
    return list(_all(isvc, spec, frozenset(gpu_types)))


def _all(isvc: InferenceService, spec: InferenceServiceSpec, gpu_types: frozenset[str]) -> Iterator[str]:
    yield from metadata.problems(isvc)
    yield from containers.environment_problems(isvc.spec)
    if spec.predictor.worker_spec is not None:
        yield from workers.problems(isvc, spec.predictor, spec.predictor.worker_spec, gpu_types)
    yield from containers.predictor_problems(isvc.spec)
    yield from storage.problems(isvc.spec, spec)
    for name, component in named_components(spec):
        yield from containers.implementation_problems(isvc.spec, name)
        yield from scaling.bound_problems(f"spec.{name}", component)
        yield from containers.logger_problems(f"spec.{name}", component.logger)
        yield from containers.batcher_problems(f"spec.{name}", component.batcher)
        yield from scaling.metric_problems(isvc.metadata.annotations, f"spec.{name}", component)
    yield from canary.problems(isvc, spec)
