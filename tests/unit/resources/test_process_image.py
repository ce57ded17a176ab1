import msgspec
import pytest

from inferplane.kernel.json import list_at
from inferplane.resources.process_image import ProcessImage, crd, find, matches, process_images, repository

IMAGES = [msgspec.convert(one, ProcessImage) for one in process_images()]


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("kserve/sklearnserver:latest", "kserve/sklearnserver"),
        ("registry:5000/kserve/sklearnserver", "registry:5000/kserve/sklearnserver"),
        ("ghcr.io/a/b:v1@sha256:00ff", "ghcr.io/a/b"),
        ("plain", "plain"),
    ],
)
def test_a_repository_is_the_image_without_tag_and_digest(image: str, name: str) -> None:
    assert repository(image) == name


def test_a_pattern_fits_the_end_of_the_repository_segment_by_segment() -> None:
    assert matches("kserve/sklearnserver", "registry:5000/mirror/kserve/sklearnserver:v0.15.2")
    assert matches("sklearnserver", "kserve/sklearnserver")
    assert matches("kserve/*", "kserve/lgbserver:1")
    assert not matches("kserve/sklearnserver", "notkserve/sklearnserver")
    assert not matches("kserve/*", "kserve/nested/server")
    assert not matches("kserve/sklearnserver", "sklearnserver")


def test_the_most_exact_pattern_wins() -> None:
    loose = msgspec.convert({"metadata": {"name": "loose"}, "spec": {"images": ["kserve/*"]}}, ProcessImage)
    found = find([loose, *IMAGES], "kserve/sklearnserver:v1")
    assert found is not None
    assert found.metadata.name == "kserve-sklearnserver"
    assert find([loose, *IMAGES], "kserve/autogluonserver") == loose
    assert find(IMAGES, "nginx") is None


def test_the_default_images_are_what_their_own_schema_allows() -> None:
    (version,) = list_at(crd(), "spec", "versions")
    assert isinstance(version, dict)
    schema = version["schema"]
    properties = schema["openAPIV3Schema"]["properties"]["spec"]["properties"]  # type: ignore[index,call-overload]  # fixed shape
    for image in process_images():
        spec = image["spec"]
        assert isinstance(spec, dict)
        assert set(spec) <= set(properties)  # type: ignore[arg-type]
        assert ("entrypoint" in spec) != ("command" in spec)


def test_the_predictive_server_is_ours_with_the_libraries_of_its_three_formats() -> None:
    image = find(IMAGES, "kserve/predictiveserver:latest")
    assert image is not None
    assert image.spec.entrypoint == "inferplane.assembly.model_server:main"
    assert image.spec.requirements == ["inferplane[sklearn,xgboost,lightgbm]"]
    assert image.spec.args == []  # --framework is the runtime's own
