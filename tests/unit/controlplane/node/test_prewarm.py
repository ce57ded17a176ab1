import msgspec
import pytest

from inferplane.controlplane.node.prewarm import Workload, wishes
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.process_image import ProcessImage, process_images

IMAGES = [msgspec.convert(one, ProcessImage) for one in process_images()]
PREWARM: JsonObject = {"annotations": {"inferplane.dev/prewarm": "true", "other": "annotation"}}


def workload(*images: str, metadata: JsonObject | None = None, template: JsonObject | None = None) -> Workload:
    containers: list[Json] = [{"name": "main", "image": one} for one in images]
    spec: JsonObject = {"template": {"metadata": template or {}, "spec": {"containers": containers}}}
    return msgspec.convert({"metadata": metadata or {}, "spec": spec}, Workload)


def names(*workloads: Workload) -> list[str]:
    return [one.keeper.name.rpartition("-")[0] for one in wishes(workloads, IMAGES)]


def test_the_zygotes_of_a_marked_service_are_wanted_though_they_start_on_demand() -> None:
    assert names(workload("kserve/xgbserver:latest", metadata=PREWARM)) == ["kserve-xgbserver"]


def test_the_mark_may_be_on_the_pod_template() -> None:
    assert names(workload("kserve/lgbserver:latest", template=PREWARM)) == ["kserve-lgbserver"]


@pytest.mark.parametrize("value", ["", "false", "yes"])
def test_a_service_without_the_mark_wants_nothing(value: str) -> None:
    assert names(workload("kserve/xgbserver", metadata={"annotations": {"inferplane.dev/prewarm": value}})) == []


def test_services_of_one_runtime_share_its_zygote_and_other_versions_have_their_own() -> None:
    marked = [workload(f"kserve/sklearnserver:{tag}", metadata=PREWARM) for tag in ("latest", "latest", "1.4.2")]
    assert [one.wish.version for one in wishes(marked, IMAGES) if one.wish] == ["", "1.4.2"]


def test_an_image_that_cannot_run_here_wants_nothing() -> None:
    assert names(workload("nginx:1.27", metadata=PREWARM)) == []
