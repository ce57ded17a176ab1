"""The same model from real servers that speak S3, GCS and Azure Blob Storage: bytes, versions, digests, refusals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
import urllib3
from tests.emulators.running import (
    ACCOUNT,
    AzureServer,
    GcsServer,
    S3Server,
    azure_server,
    gcs_server,
    s3_server,
)
from tests.unit.dataplane.storage.stores import tar
from tests.unit.dataplane.storage.test_cache import tree

from inferplane.dataplane.storage import stores
from inferplane.dataplane.storage.cache import Cache
from inferplane.dataplane.storage.errors import Refused, StorageError
from inferplane.dataplane.storage.fetch import Fetcher
from inferplane.dataplane.storage.transfer import PART, Effort, Meter

BUCKET = "models"
MODEL = {"model.joblib": b"weights" * 100, "conf/déjà vu+1.json": b"{}"}


class Server(Protocol):
    @property
    def environ(self) -> dict[str, str]: ...

    def put(self, bucket: str, key: str, content: bytes) -> None: ...


@dataclass(frozen=True)
class Store:
    """A server with one bucket; `uri` puts a path into its kind of URI."""

    server: Server
    base: str

    def uri(self, path: str) -> str:
        return f"{self.base}/{path}"

    def put(self, prefix: str, files: Mapping[str, bytes]) -> None:
        for path, content in files.items():
            self.server.put(BUCKET, f"{prefix}/{path}", content)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        server.bucket(BUCKET)
        yield server


@pytest.fixture(scope="module")
def gcs() -> Iterator[GcsServer]:
    with gcs_server() as server:
        yield server


@pytest.fixture(scope="module")
def azure() -> Iterator[AzureServer]:
    with azure_server() as server:
        server.container(BUCKET)
        server.container("public", public=True)
        yield server


@pytest.fixture(params=["s3", "gcs", "azure"])
def store(request: pytest.FixtureRequest) -> Store:
    server: Server = request.getfixturevalue(request.param)
    azure_uri = f"https://{ACCOUNT}.blob.core.windows.net/{BUCKET}"
    return Store(server, {"s3": f"s3://{BUCKET}", "gcs": f"gs://{BUCKET}", "azure": azure_uri}[request.param])


def fetched(root: Path, uri: str, environ: Mapping[str, str], *, meter: Meter | None = None) -> dict[str, bytes]:
    root.mkdir(exist_ok=True)
    pod = root / f"pod-{len(list(root.iterdir()))}"
    effort = Effort(tries=2, sleep=lambda _: None)
    fetcher = Fetcher(Cache(root / "cache", 1 << 30), environ, effort, meter=meter or Meter())
    return tree(fetcher.fetch(uri, pod))


def test_everything_below_a_prefix_is_fetched_once(store: Store, tmp_path: Path) -> None:
    store.put("below/iris", MODEL)
    store.put("below/iris-v2", {"other": b"not this"})
    meter = Meter()
    for _ in range(2):
        assert fetched(tmp_path, store.uri("below/iris"), store.server.environ, meter=meter) == MODEL
    assert meter.done == sum(len(content) for content in MODEL.values())


def test_one_object_keeps_its_name(store: Store, tmp_path: Path) -> None:
    store.put("exact", MODEL)
    found = fetched(tmp_path, store.uri("exact/model.joblib"), store.server.environ)
    assert found == {"model.joblib": MODEL["model.joblib"]}


def test_an_archive_is_unpacked(store: Store, tmp_path: Path) -> None:
    store.put("packed", {"iris.tgz": tar({"model.joblib": b"w"})})
    assert fetched(tmp_path, store.uri("packed/iris.tgz"), store.server.environ) == {"model.joblib": b"w"}


def test_a_changed_object_is_noticed(store: Store, tmp_path: Path) -> None:
    store.put("changing", {"model": b"one", "same": b"same"})
    fetched(tmp_path, store.uri("changing"), store.server.environ)
    store.put("changing", {"model": b"two"})
    meter = Meter()
    found = fetched(tmp_path, store.uri("changing"), store.server.environ, meter=meter)
    assert found == {"model": b"two", "same": b"same"}
    assert meter.done == 3


def test_a_large_object_comes_in_parts(store: Store, tmp_path: Path) -> None:
    content = bytes(range(256)) * (PART // 256) + b"and a rest"
    store.put("large", {"model": content})
    assert fetched(tmp_path, store.uri("large"), store.server.environ) == {"model": content}


def test_every_object_has_a_digest_that_is_checked(store: Store) -> None:
    store.put("digests", {"model": b"hello"})
    remote = stores.opened(store.uri("digests"), store.server.environ)
    (entry,) = remote.entries()
    found = entry.digest or remote.digest(entry)
    assert found is not None
    assert (found.algorithm, found.hex) in {("md5", "5d41402abc4b2a76b9719d911017c592"), ("crc32c", "9a71bb4c")}


def test_nothing_there_is_said_with_the_uri(store: Store, tmp_path: Path) -> None:
    store.put("there", MODEL)
    with pytest.raises(StorageError, match=f"No model found in {store.uri('ther')}"):
        fetched(tmp_path, store.uri("ther"), store.server.environ)


@pytest.mark.parametrize(
    ("uri", "environ"),
    [
        ("s3://models/m", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "awsAnonymousCredential": "true",
                           "S3_MAX_ATTEMPTS": "1"}),
        ("gs://models/m", {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:9"}),
        ("https://a.blob.core.windows.net/models/m", {"AZURE_SERVICE_URL": "http://127.0.0.1:9/a",
                                                      "S3_MAX_ATTEMPTS": "1"}),
    ],
)  # fmt: skip
def test_a_server_that_is_not_there_is_named(tmp_path: Path, uri: str, environ: dict[str, str]) -> None:
    with pytest.raises(StorageError, match=rf"{uri}: cannot connect to http://127.0.0.1:9.*refused"):
        fetched(tmp_path, uri, environ)


# --- S3 ---------------------------------------------------------------------------------------------------------------


def test_s3_takes_virtual_buckets(tmp_path: Path) -> None:
    environ = {"AWS_ENDPOINT_URL": "http://s3.invalid", "S3_USER_VIRTUAL_BUCKET": "true", "S3_MAX_ATTEMPTS": "1"}
    with pytest.raises(StorageError, match=r"cannot connect to http://models\.s3\.invalid"):
        fetched(tmp_path, f"s3://{BUCKET}/virtual", environ | {"awsAnonymousCredential": "true"})


def test_s3_takes_the_storage_spec(s3: S3Server, tmp_path: Path) -> None:
    s3.put(BUCKET, "spec/model", b"v")
    config = f'{{"type": "s3", "endpoint_url": "{s3.url}", "access_key_id": "a", "secret_access_key": "b"}}'
    assert fetched(tmp_path, f"s3://{BUCKET}/spec", {"STORAGE_CONFIG": config}) == {"model": b"v"}


def test_a_bucket_that_does_not_exist_is_said(s3: S3Server, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"s3://nowhere/m: no such bucket"):
        fetched(tmp_path, "s3://nowhere/m", s3.environ)


def test_an_encrypted_objects_etag_is_not_taken_for_an_md5(s3: S3Server, tmp_path: Path) -> None:
    s3.put(BUCKET, "kms/model", b"hello", **{"x-amz-server-side-encryption": "aws:kms"})
    assert fetched(tmp_path, f"s3://{BUCKET}/kms", s3.environ) == {"model": b"hello"}


def test_wrong_keys_are_said_without_the_secret(tmp_path: Path) -> None:
    with s3_server("strict") as server:
        server.put(BUCKET, "m/model", b"x")
        urllib3.request("POST", f"{server.url}/moto-api/reset-auth", body=b"0", retries=False)
        with pytest.raises(Refused) as caught:
            fetched(tmp_path, f"s3://{BUCKET}/m", server.environ)
    words = str(caught.value)
    assert f"s3://{BUCKET}/m: the credentials are not valid (access key access): InvalidAccessKeyId" in words
    assert "correct the Secret" in words
    assert "secret" not in words.replace("Secret", "")


# --- Azure ------------------------------------------------------------------------------------------------------------


def test_azure_takes_a_signature_in_the_uri(azure: AzureServer, tmp_path: Path) -> None:
    azure.put(BUCKET, "signed/model", b"v")
    environ = {"AZURE_SERVICE_URL": azure.url, "AZURE_ACCOUNT_NAME": ACCOUNT}
    uri = f"https://{ACCOUNT}.blob.core.windows.net/{BUCKET}/signed?{azure.signature('rl')}"
    assert fetched(tmp_path, uri, environ) == {"model": b"v"}


def test_azure_takes_anonymous_readers_of_a_public_container(azure: AzureServer, tmp_path: Path) -> None:
    azure.put("public", "open/model", b"v")
    environ = {"AZURE_SERVICE_URL": azure.url, "AZURE_ACCOUNT_NAME": ACCOUNT}
    assert fetched(tmp_path, f"https://{ACCOUNT}.blob.core.windows.net/public/open", environ) == {"model": b"v"}


def test_a_blob_that_is_not_what_its_uploader_said_is_refused(azure: AzureServer, tmp_path: Path) -> None:
    azure.put(BUCKET, "wrong/model", b"hello")
    azure.say_md5(BUCKET, "wrong/model", bytes(16))
    with pytest.raises(StorageError, match="corrupt: expected md5 0000"):
        fetched(tmp_path, f"https://{ACCOUNT}.blob.core.windows.net/{BUCKET}/wrong", azure.environ)


def test_a_wrong_azure_key_is_said_without_the_key(azure: AzureServer, tmp_path: Path) -> None:
    environ = azure.environ | {"AZURE_STORAGE_ACCESS_KEY": "d3Jvbmcga2V5"}
    with pytest.raises(Refused) as caught:
        fetched(tmp_path, f"https://{ACCOUNT}.blob.core.windows.net/{BUCKET}/m", environ)
    assert f"the credentials are not valid (the access key of account {ACCOUNT})" in str(caught.value)
    assert "d3Jvbmcga2V5" not in str(caught.value)


def test_a_container_that_does_not_exist_is_said(azure: AzureServer, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such container"):
        fetched(tmp_path, f"https://{ACCOUNT}.blob.core.windows.net/nowhere/m", azure.environ)
