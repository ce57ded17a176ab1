"""How the model gets into the pod (sections 6.2 to 6.4 of the reference)."""

import pytest
from tests.unit.controlplane.serving.made import MAIN, env

from inferplane.controlplane.serving.storage import SCHEMES, refusal, with_model, with_several
from inferplane.kernel.json import JsonObject, list_at
from inferplane.resources.serving.config import StorageInitializer
from inferplane.resources.serving.inferenceservice import StorageUri

CONFIG = StorageInitializer()


def attached(uri: str, *, read_only: bool = True, pod: JsonObject | None = None) -> JsonObject:
    return with_model(pod or {"containers": [MAIN]}, uri, read_only=read_only, initializer=CONFIG)


def several(*uris: tuple[str, str]) -> JsonObject:
    items = [StorageUri(uri=uri, mount_path=path) for uri, path in uris]
    return with_several({"containers": [MAIN]}, items, read_only=True, initializer=CONFIG)


def item(value: JsonObject, key: str, index: int = 0) -> JsonObject:
    found = list_at(value, key)[index]
    assert isinstance(found, dict)
    return found


AZURE = ("https://acct.blob.core.windows.net/c/p", "https://acct.z1.blob.storage.azure.net/c/p")


@pytest.mark.parametrize("uri", [*(f"{one}b/m" for one in SCHEMES), *AZURE, "/models/iris", "models/iris"])
def test_what_can_be_named_is_accepted(uri: str) -> None:
    assert refusal(uri) is None


def test_an_unknown_scheme_is_refused_with_the_list() -> None:
    words = refusal("ftp://host/model")
    assert words is not None
    assert words.startswith("storageUri 'ftp://host/model' is not supported: expected a path or one of gs://, s3://")
    assert all(one in words for one in SCHEMES)


def test_the_initializer_fetches_into_a_volume_that_the_server_reads() -> None:
    pod = attached("s3://bkt/m")
    assert list_at(pod, "volumes") == [{"name": "kserve-provision-location", "emptyDir": {}}]
    assert list_at(item(pod, "containers"), "volumeMounts") == [
        {"name": "kserve-provision-location", "mountPath": "/mnt/models", "readOnly": True}
    ]
    assert item(pod, "initContainers") == {
        "name": "storage-initializer",
        "image": "kserve/storage-initializer:latest",
        "args": ["s3://bkt/m", "/mnt/models"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": env(
            ("HF_HUB_ENABLE_HF_TRANSFER", "1"),
            ("HF_XET_HIGH_PERFORMANCE", "1"),
            ("HF_XET_NUM_CONCURRENT_RANGE_GETS", "8"),
        ),
        "resources": {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "volumeMounts": [{"name": "kserve-provision-location", "mountPath": "/mnt/models"}],
    }


def test_storage_may_be_writable_and_reaches_the_transformer_but_no_other() -> None:
    pod: JsonObject = {"containers": [MAIN, {"name": "transformer-container"}, {"name": "other"}]}
    found = attached("/models/iris", read_only=False, pod=pod)
    mount = {"name": "kserve-provision-location", "mountPath": "/mnt/models"}
    assert [list_at(item(found, "containers", n), "volumeMounts") for n in range(3)] == [[mount], [mount], []]


def test_an_initializer_of_the_users_own_stays_alone() -> None:
    mine: JsonObject = {"containers": [MAIN], "initContainers": [{"name": "storage-initializer", "image": "mine"}]}
    assert attached("s3://b", pod=mine)["initContainers"] == mine["initContainers"]


@pytest.mark.parametrize(
    ("uri", "sub_path"), [("pvc://claim", {}), ("pvc://claim/", {}), ("pvc://claim/a/b", {"subPath": "a/b"})]
)
def test_a_claim_is_mounted_without_an_initializer(uri: str, sub_path: JsonObject) -> None:
    pod = attached(uri)
    mount: JsonObject = {"name": "kserve-pvc-source", "mountPath": "/mnt/models", "readOnly": True}
    assert list_at(item(pod, "containers"), "volumeMounts") == [mount | sub_path]
    assert list_at(pod, "volumes") == [{"name": "kserve-pvc-source", "persistentVolumeClaim": {"claimName": "claim"}}]
    assert "initContainers" not in pod


def test_the_variable_storage_uri_becomes_the_directory() -> None:
    pod: JsonObject = {"containers": [MAIN | {"env": env(("STORAGE_URI", "s3://b"), ("A", "1"))}]}
    assert item(attached("s3://b", pod=pod), "containers")["env"] == env(("STORAGE_URI", "/mnt/models"), ("A", "1"))


def test_an_empty_variable_storage_uri_stays_as_it_is() -> None:
    pod: JsonObject = {"containers": [MAIN | {"env": env(("STORAGE_URI", ""))}]}
    assert item(attached("s3://b", pod=pod), "containers")["env"] == env(("STORAGE_URI", ""))


def test_several_uris_share_one_volume_at_their_common_parent() -> None:
    pod = several(("s3://b/base", "/mnt/models/base"), ("hf://o/lora", "/mnt/models/lora"))
    assert item(pod, "initContainers")["args"] == ["s3://b/base", "/mnt/models/base", "hf://o/lora", "/mnt/models/lora"]
    assert list_at(pod, "volumes") == [{"name": "mnt-models", "emptyDir": {}}]
    assert list_at(item(pod, "containers"), "volumeMounts") == [
        {"name": "mnt-models", "mountPath": "/mnt/models", "readOnly": True}
    ]


def test_claims_among_several_keep_their_own_paths() -> None:
    pod = several(("pvc://claim/base", "/mnt/base"), ("s3://b", "/mnt/models"))
    assert list_at(pod, "volumes") == [
        {"name": "mnt-base", "persistentVolumeClaim": {"claimName": "claim"}},
        {"name": "mnt-models", "emptyDir": {}},
    ]
    assert list_at(item(pod, "containers"), "volumeMounts") == [
        {"name": "mnt-base", "mountPath": "/mnt/base", "readOnly": True, "subPath": "base"},
        {"name": "mnt-models", "mountPath": "/mnt/models", "readOnly": True},
    ]


def test_claims_alone_need_no_initializer() -> None:
    pod = several(("pvc://a", "/mnt/a"), ("pvc://b/x", "/mnt/b"))
    assert "initContainers" not in pod
    assert [one["name"] for one in list_at(pod, "volumes") if isinstance(one, dict)] == ["mnt-a", "mnt-b"]


def test_claims_beside_what_is_fetched_are_not_in_its_volume() -> None:
    pod = several(("s3://b/x", "/mnt/models/x"), ("pvc://claim", "/mnt/data"), ("hf://o/y", "/mnt/models/y"))
    assert item(pod, "initContainers")["args"] == ["s3://b/x", "/mnt/models/x", "hf://o/y", "/mnt/models/y"]
    mounts = [one for one in list_at(item(pod, "containers"), "volumeMounts") if isinstance(one, dict)]
    assert [(one["name"], one["mountPath"]) for one in mounts] == [
        ("mnt-data", "/mnt/data"),
        ("mnt-models", "/mnt/models"),
    ]


def test_no_uris_change_nothing() -> None:
    assert several() == {"containers": [MAIN | {"volumeMounts": []}], "volumes": []}


@pytest.mark.parametrize("read_only", [True, False])
def test_a_server_that_may_write_gets_files_of_its_own(read_only: bool) -> None:
    initializer = item(attached("s3://bkt/m", read_only=read_only), "initContainers")
    wanted = {"name": "INFERPLANE_MODEL_WRITABLE", "value": "true"}
    assert (wanted in list_at(initializer, "env")) is not read_only
