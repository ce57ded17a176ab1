"""What of an InferenceService decides where its requests are mirrored to."""

import msgspec
import pytest

from inferplane.controlplane.serving.shadows import Asked, asked, model_name, targets
from inferplane.kernel.json import JsonObject
from inferplane.resources.serving.inferenceservice import InferenceService


def service(shadow: str = "", predictor: JsonObject | None = None) -> InferenceService:
    annotations: JsonObject = {"inferplane.dev/shadow": shadow} if shadow else {}
    metadata: JsonObject = {"name": "old", "namespace": "ml", "annotations": annotations}
    return msgspec.convert({"metadata": metadata, "spec": {"predictor": predictor or {}}}, InferenceService)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("new=20", Asked("new", 20)),
        (" new = 0.25 % ", Asked("new", 0.25)),
        ("new=100", Asked("new", 100)),
        ("new=100.01", None),
        ("new", None),
        ("old=5", None),
        ("ml/new=5", None),
        ("", None),
    ],
)
def test_the_annotation_names_a_service_and_a_share(value: str, found: Asked | None) -> None:
    assert asked(service(value)) == found


def test_a_service_is_looked_at_again_when_its_target_changes() -> None:
    assert list(targets(service("new=20"))) == ["ml/new"]
    assert list(targets(service("rubbish"))) == []


@pytest.mark.parametrize(
    ("predictor", "name"),
    [
        ({"model": {"modelFormat": {"name": "sklearn"}}}, "old"),
        ({"model": {"modelFormat": {"name": "sklearn"}, "args": ["--model_name=flowers"]}}, "flowers"),
        ({"sklearn": {"storageUri": "s3://b/m", "args": ["--workers=2", "--model_name", "flowers"]}}, "flowers"),
        ({"containers": [{"name": "kserve-container", "args": ["--model_name=flowers"]}]}, "flowers"),
        ({"containers": [{"name": "kserve-container", "args": ["--model_name"]}]}, "old"),
    ],
)
def test_a_model_is_called_as_its_service_unless_an_argument_says_otherwise(predictor: JsonObject, name: str) -> None:
    assert model_name(service(predictor=predictor)) == name
