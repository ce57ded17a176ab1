"""Which store a URI belongs to, and what it names there."""

import pytest

from inferplane.dataplane.storage.errors import StorageError, shown
from inferplane.dataplane.storage.uris import Blob, HubModel, archive_of, azure_blob, bucket_path, hub_model, store_of


@pytest.mark.parametrize(
    ("uri", "store"),
    [
        ("/models/iris", "local"),
        ("models/iris", "local"),
        ("file:///models/iris", "local"),
        ("s3://bucket/path", "s3"),
        ("gs://bucket/path", "gs"),
        ("hdfs://data/model", "hdfs"),
        ("webhdfs://data/model", "hdfs"),
        ("https://acct.blob.core.windows.net/c/p", "azure blob"),
        ("https://acct.z12.blob.storage.azure.net/c/p", "azure blob"),
        ("https://acct.file.core.windows.net/share/p", "azure files"),
        ("hf://owner/model", "hf"),
        ("modelscope://owner/model", "modelscope"),
        ("oci://registry.example.com/models/iris:v1", "oci"),
        ("oci+fetch://registry.example.com/models/iris:v1", "oci"),
        ("https://git.example.com/models/iris.git", "git"),
        ("https://git.example.com/models/iris.git#v1", "git"),
        ("https://git.example.com/models/iris.git?ref=v1", "git"),
        ("git+https://git.example.com/models/iris", "git"),
        ("https://example.com/model.tgz", "http"),
        ("http://example.com/digits/model.joblib?x=1", "http"),
        ("https://example.com/blob.core.windows.net/model", "http"),
    ],
)
def test_a_uri_belongs_to_one_store(uri: str, store: str) -> None:
    assert store_of(uri) == store


def test_a_scheme_that_nobody_knows_is_refused_with_the_list() -> None:
    with pytest.raises(
        StorageError, match=r"Cannot recognize storage type for ftp://h/m: supported are .*gs://, s3://"
    ):
        store_of("ftp://h/m")


def test_objects_are_named_as_they_are_written() -> None:
    assert [bucket_path(uri).path for uri in ("s3://b", "s3://b/", "s3://b/a%20b/c", "gs://b//x")] == [
        "", "", "a%20b/c", "x",
    ]  # fmt: skip
    with pytest.raises(StorageError, match="expected s3://BUCKET/PATH, got no bucket"):
        bucket_path("s3:///path")


def test_azure_uris_name_account_container_and_path() -> None:
    found = azure_blob("https://acct.blob.core.windows.net/models/iris/v1?sv=1&sig=s")
    assert found == Blob("https://acct.blob.core.windows.net", "acct", "models", "iris/v1", "sv=1&sig=s")
    with pytest.raises(StorageError, match="CONTAINER/PATH"):
        azure_blob("https://acct.blob.core.windows.net/")


@pytest.mark.parametrize(
    ("uri", "model"),
    [
        ("hf://owner/model", HubModel("owner", "model", "main")),
        ("hf://owner/model:v1.0", HubModel("owner", "model", "v1.0")),
        ("hf://owner/model:refs/pr/1", HubModel("owner", "model", "refs/pr/1")),
    ],
)
def test_hub_uris_name_owner_model_and_revision(uri: str, model: HubModel) -> None:
    assert hub_model(uri) == model


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("hf://", "Invalid Hugging Face URI format"),
        ("hf://x", "Invalid Hugging Face URI format"),
        ("hf:///m", "repository owner cannot be empty"),
        ("hf://r/:h", "model name cannot be empty"),
    ],
)
def test_hub_uris_that_name_no_model_are_refused(uri: str, words: str) -> None:
    with pytest.raises(StorageError, match=words):
        hub_model(uri)


@pytest.mark.parametrize(
    ("name", "kind"), [("m.tar", "tar"), ("m.TGZ", "tar"), ("m.tar.gz", "tar"), ("m.zip", "zip"), ("m.gz", "")]
)
def test_archives_are_known_by_their_names(name: str, kind: str) -> None:
    assert archive_of(name) == kind


@pytest.mark.parametrize(
    ("uri", "as_shown"),
    [
        ("s3://bucket/path", "s3://bucket/path"),
        ("https://me:secret@host/m.git", "https://host/m.git"),
        ("https://acct.blob.core.windows.net/c/p?sig=secret", "https://acct.blob.core.windows.net/c/p?…"),
    ],
)
def test_a_uri_is_shown_without_its_secrets(uri: str, as_shown: str) -> None:
    assert shown(uri) == as_shown
