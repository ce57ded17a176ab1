"""Models in images (section 6.7 of the reference)."""

import pytest
from tests.unit.controlplane.serving.made import MAIN

from inferplane.controlplane.serving.merging import InvalidPredictor
from inferplane.controlplane.serving.modelimages import mode
from inferplane.controlplane.serving.storage import with_model, with_several
from inferplane.kernel.json import JsonObject, list_at
from inferplane.resources.serving.config import StorageInitializer
from inferplane.resources.serving.inferenceservice import StorageUri

CAR, VOLUME = StorageInitializer(oci_model_mode="modelcar"), StorageInitializer(oci_model_mode="native")
TRANSFORMER: JsonObject = {"name": "transformer-container", "image": "t"}


def one(uri: str, config: StorageInitializer) -> JsonObject:
    pod: JsonObject = {"containers": [MAIN, TRANSFORMER, {"name": "other", "image": "o"}]}
    return with_model(pod, uri, read_only=True, initializer=config)


def several(config: StorageInitializer, *places: tuple[str, str]) -> JsonObject:
    uris = [StorageUri(uri=uri, mount_path=path) for uri, path in places]
    return with_several({"containers": [MAIN]}, uris, read_only=True, initializer=config)


def named(pod: JsonObject, which: str = "containers") -> dict[str, JsonObject]:
    return {str(found["name"]): found for found in list_at(pod, which) if isinstance(found, dict)}


@pytest.mark.parametrize(
    ("uri", "config", "expected"),
    [
        ("oci://r/m:v1", StorageInitializer(), "fetch"),
        ("oci://r/m:v1", StorageInitializer(enable_modelcar=True), "modelcar"),
        ("oci://r/m:v1", StorageInitializer(enable_oci_model_support=True), "modelcar"),
        ("oci://r/m:v1", StorageInitializer(enable_modelcar=True, oci_model_mode="native"), "native"),
        ("oci+fetch://r/m:v1", CAR, "fetch"),
        ("oci+native://r/m:v1", CAR, "native"),
        ("oci+modelcar://r/m:v1", VOLUME, "modelcar"),
        ("s3://b/m", CAR, ""),
    ],
)
def test_the_uri_decides_before_the_configuration(uri: str, config: StorageInitializer, expected: str) -> None:
    assert mode(uri, config) == expected


def test_a_modelcar_runs_beside_the_server_and_links_its_files() -> None:
    pod = one("oci://registry/iris:v1", CAR)
    containers, mount = named(pod), {"name": "kserve-provision-location", "mountPath": "/mnt", "readOnly": False}
    assert list(containers) == ["kserve-container", "transformer-container", "other", "modelcar"]
    car, first = containers["modelcar"], named(pod, "initContainers")["modelcar-init"]
    assert car["image"] == first["image"] == "registry/iris:v1"
    assert car["args"] == ["sh", "-c", "ln -sf /proc/$$$$/root/models /mnt/models && sleep infinity"]
    assert car["resources"] == {
        "limits": {"cpu": "10m", "memory": "15Mi"},
        "requests": {"cpu": "10m", "memory": "15Mi"},
    }
    assert car["volumeMounts"] == [mount]
    assert list_at(pod, "volumes") == [{"name": "kserve-provision-location", "emptyDir": {}}]
    assert pod["shareProcessNamespace"] is True
    for server in ("kserve-container", "transformer-container"):
        assert containers[server]["volumeMounts"] == [mount]
        assert containers[server]["env"] == [{"name": "MODEL_INIT_MODE", "value": "async"}]
        assert containers[server]["securityContext"] == {"runAsUser": 1010}
    assert containers["other"] == {"name": "other", "image": "o"}


def test_several_modelcars_are_numbered() -> None:
    pod = several(CAR, ("oci://r/a", "/mnt/a/models"), ("oci://r/b", "/mnt/b/models"))
    assert list(named(pod)) == ["kserve-container", "modelcar", "modelcar-1"]
    assert list(named(pod, "initContainers")) == ["modelcar-init", "modelcar-init-1"]
    assert list(named(pod, "volumes")) == ["kserve-provision-location", "kserve-provision-location-1"]


def test_an_image_can_be_a_volume() -> None:
    pod = one("oci://registry/iris:v1", VOLUME)
    reference = {"reference": "registry/iris:v1", "pullPolicy": "IfNotPresent"}
    assert list_at(pod, "volumes") == [{"name": "mnt-models", "image": reference}]
    mount = {"name": "mnt-models", "mountPath": "/mnt/models", "subPath": "models", "readOnly": True}
    assert [found.get("volumeMounts") for found in named(pod).values()] == [[mount], [mount], None]
    assert "initContainers" not in pod


def test_images_beside_other_uris_go_their_own_way() -> None:
    pod = several(VOLUME, ("oci://r/a", "/mnt/models/a"), ("s3://b/m", "/mnt/models/b"), ("pvc://c", "/mnt/models/c"))
    assert list(named(pod, "volumes")) == ["mnt-models-a", "mnt-models-c", "mnt-models-b"]
    assert named(pod, "initContainers")["storage-initializer"]["args"] == ["s3://b/m", "/mnt/models/b"]


@pytest.mark.parametrize(
    ("config", "places", "words"),
    [
        (
            CAR,
            [("oci://r/a", "/mnt/a"), ("oci://r/b", "/mnt/b")],
            "two images (modelcar) are mounted at the same parent",
        ),
        (
            VOLUME,
            [("oci://r/a", "/mnt/a"), ("oci://r/b", "/mnt/a")],
            "two images (native) are mounted at the same path",
        ),
        (VOLUME, [(f"oci://r/{n}", f"/mnt/{n}") for n in range(11)], "at most 10 images, got 11"),
    ],
)
def test_images_in_each_others_way_are_refused(
    config: StorageInitializer, places: list[tuple[str, str]], words: str
) -> None:
    with pytest.raises(InvalidPredictor) as caught:
        several(config, *places)
    assert words in str(caught.value)


def test_a_container_of_the_users_own_is_told_the_path() -> None:
    own: JsonObject = {"name": "kserve-container", "env": [{"name": "STORAGE_URI", "value": "oci://r/m"}]}
    pod = with_model({"containers": [own]}, "oci://r/m", read_only=True, initializer=VOLUME)
    assert named(pod)["kserve-container"]["env"] == [{"name": "STORAGE_URI", "value": "/mnt/models"}]


@pytest.mark.parametrize(
    ("config", "path"), [(CAR, "/mnt"), (VOLUME, "/mnt/models"), (StorageInitializer(), "/mnt/models")]
)
def test_the_workers_of_several_nodes_find_the_model_too(config: StorageInitializer, path: str) -> None:
    pod: JsonObject = {"containers": [{"name": "worker-container", "image": "w"}]}
    worker = named(with_model(pod, "oci://r/m", read_only=True, initializer=config))["worker-container"]
    assert [mount["mountPath"] for mount in list_at(worker, "volumeMounts") if isinstance(mount, dict)] == [path]


def test_a_container_that_is_only_called_like_a_worker_is_none() -> None:
    pod: JsonObject = {"containers": [MAIN, {"name": "worker-container", "image": "w"}]}
    found = named(with_model(pod, "oci://r/m", read_only=True, initializer=VOLUME))
    assert ["volumeMounts" in one for one in found.values()] == [True, False]
