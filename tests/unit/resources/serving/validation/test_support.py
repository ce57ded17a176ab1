"""What is well-formed but not there yet is named."""

import msgspec
import pytest

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.defaulting import defaulted
from inferplane.resources.serving.inferenceservice import InferenceService, InferenceServiceSpec
from inferplane.resources.serving.validation import unsupported

SKLEARN: JsonObject = {"sklearn": {"storageUri": "s3://b"}}


def service(predictor: JsonObject, **annotations: str) -> InferenceService:
    meta = ObjectMeta(name="iris", annotations={f"serving.kserve.io/{k}": v for k, v in annotations.items()})
    return defaulted(InferenceService(metadata=meta, spec={"predictor": predictor}), Config())


def custom(*env: tuple[str, str], name: str = "kserve-container") -> JsonObject:
    variables: list[Json] = [{"name": key, "value": value} for key, value in env]
    return {"name": name, "image": "i", "env": variables}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"predictor": {"sklearn": {"confidential": {"enabled": True}}}}, "spec.predictor.model.confidential"),
    ],
)
def test_what_is_not_there_yet_is_named(spec: JsonObject, path: str) -> None:
    whole: JsonObject = {"predictor": SKLEARN}
    isvc = defaulted(InferenceService(metadata=ObjectMeta(name="iris"), spec=whole | spec), Config())
    assert unsupported(isvc, msgspec.convert(isvc.spec, InferenceServiceSpec), "Standard") == [
        f"{path} is not supported yet"
    ]
