"""GPUs of a model that spans nodes, beyond the sizes that the conformance scenarios show."""

import msgspec
import pytest
from tests.unit.controlplane.serving.made import MAIN, isvc, runtime

from inferplane.controlplane.serving import components
from inferplane.controlplane.serving.workers import Spanning, spanning
from inferplane.kernel.json import Json, JsonObject, list_at, object_at
from inferplane.resources.serving.config import Config, parse
from inferplane.resources.serving.inferenceservice import InferenceServiceSpec
from inferplane.resources.serving.runtime import RuntimeWorkerSpec

WORKER: JsonObject = {"name": "worker-container", "image": "w"}


def spanned(head: JsonObject, worker: JsonObject, config: Config, annotation: str = "") -> Spanning:
    """`head` and `worker`: what their containers request."""
    model: JsonObject = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://c/m", "resources": {"requests": head}}
    sizes: JsonObject = {"tensorParallelSize": 4, "containers": [{"resources": {"requests": worker}}]}
    annotations = {"serving.kserve.io/gpu-resource-types": annotation} if annotation else {}
    service = isvc({"model": model, "workerSpec": sizes}, annotations=annotations)
    spec = msgspec.convert(service.spec, InferenceServiceSpec)
    rt = runtime(containers=[MAIN], worker_spec=RuntimeWorkerSpec(containers=[WORKER]))
    return spanning(service, components.predictor(service, spec.predictor, rt, config), rt, config)


def gpus(found: Spanning) -> list[Json]:
    pods = [list_at(one.pod, "containers")[0] for one in (found.head, found.workers)]
    return [object_at(one, "resources", "requests") for one in pods if isinstance(one, dict)]


@pytest.mark.parametrize(
    ("config", "annotation", "expected"),
    [
        # Of a kind that an annotation names only the name counts, not the amount (KServe's rule).
        (Config(), '["a.com/gpu"]', [{"a.com/gpu": "1"}, {"a.com/gpu": "1"}]),
        (parse({"multiNode": '{"customGPUResourceTypeList": ["a.com/gpu"]}'}), "", [{"a.com/gpu": "2"}] * 2),
        (Config(), "", [{"a.com/gpu": "2", "nvidia.com/gpu": "1"}] * 2),
    ],
)
def test_gpus_are_of_the_kind_that_the_container_names(config: Config, annotation: str, expected: list[Json]) -> None:
    both: JsonObject = {"a.com/gpu": "2"}
    assert gpus(spanned(both, both, config, annotation)) == expected
