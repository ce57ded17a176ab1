"""Which store a URI belongs to. Pure; the rules and their order are KServe's (kserve_storage)."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from inferplane.dataplane.storage.errors import StorageError, shown

LOCAL, S3, GCS, HDFS, AZURE_BLOB, AZURE_FILES = "local", "s3", "gs", "hdfs", "azure blob", "azure files"
HUGGING_FACE, MODELSCOPE, OCI, GIT, HTTP = "hf", "modelscope", "oci", "git", "http"

_AZURE_BLOB = re.compile(r"^https://[^/]+?\.(blob\.core\.windows\.net|z\d{1,2}\.blob\.storage\.azure\.net)(:\d+)?/")
_AZURE_FILES = re.compile(r"^https://[^/]+?\.(file\.core\.windows\.net|z\d{1,2}\.file\.storage\.azure\.net)(:\d+)?/")
_GIT = re.compile(r"^(git\+)?https?://[^?#]+\.git(?=[/?#]|$)|^git\+https?://|^(git|ssh|git\+ssh)://")
_SCHEME = re.compile(r"^[A-Za-z][\w+.-]*://")
_PREFIXES = {
    "file://": LOCAL,
    "gs://": GCS,
    "s3://": S3,
    "hdfs://": HDFS,
    "webhdfs://": HDFS,
    "hf://": HUGGING_FACE,
    "modelscope://": MODELSCOPE,
    "oci://": OCI,
    "oci+fetch://": OCI,
    "oci+native://": OCI,
    "oci+modelcar://": OCI,
}


def store_of(uri: str) -> str:
    """One of the words above. Raises StorageError for a scheme that nobody knows."""
    if not _SCHEME.match(uri):
        return LOCAL
    for prefix, store in _PREFIXES.items():
        if uri.startswith(prefix):
            return store
    for pattern, store in ((_AZURE_BLOB, AZURE_BLOB), (_AZURE_FILES, AZURE_FILES), (_GIT, GIT)):
        if pattern.match(uri):
            return store
    if uri.startswith(("http://", "https://")):
        return HTTP
    raise StorageError(
        f"Cannot recognize storage type for {shown(uri)}: supported are a path on this machine, "
        f"{', '.join(_PREFIXES)}, https://ACCOUNT.blob.core.windows.net/…, https://….git, http:// and https://"
    )


@dataclass(frozen=True, slots=True)
class BucketPath:
    """`scheme://bucket/path`; `path` as the store names objects: without a leading slash."""

    bucket: str
    path: str


def bucket_path(uri: str) -> BucketPath:
    """Names of objects are taken as they are written, without percent decoding (as KServe does)."""
    bucket, _, path = uri.partition("://")[2].partition("/")
    if not bucket:
        raise StorageError(f"{uri}: expected {uri.partition('://')[0]}://BUCKET/PATH, got no bucket")
    return BucketPath(bucket, path.lstrip("/"))


@dataclass(frozen=True, slots=True)
class Blob:
    """A place in Azure Blob Storage. `endpoint` has neither a container nor a query; `sas` is the query, a secret."""

    endpoint: str
    account: str
    container: str
    path: str
    sas: str


def azure_blob(uri: str) -> Blob:
    """`https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH[?SAS]`."""
    parts = urlsplit(uri)
    container, _, path = unquote(parts.path).lstrip("/").partition("/")
    if not container:
        raise StorageError(f"{shown(uri)}: expected https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH")
    host = parts.netloc.rpartition("@")[2]
    return Blob(f"{parts.scheme}://{host}", host.partition(".")[0], container, path, parts.query)


@dataclass(frozen=True, slots=True)
class HubModel:
    owner: str
    model: str
    revision: str

    @property
    def repository(self) -> str:
        return f"{self.owner}/{self.model}"


def hub_model(uri: str) -> HubModel:
    """`hf://OWNER/MODEL[:REVISION]`; the revision is `main` unless given. Messages are those of KServe."""
    owner, slash, rest = uri.partition("://")[2].partition("/")
    if not slash:
        raise StorageError(f"Invalid Hugging Face URI format: expected hf://OWNER/MODEL[:REVISION], got {uri}")
    model, _, revision = rest.partition(":")
    if not owner:
        raise StorageError(f"Invalid Hugging Face URI format: the repository owner cannot be empty in {uri}")
    if not model.strip("/"):
        raise StorageError(f"Invalid Hugging Face URI format: the model name cannot be empty in {uri}")
    return HubModel(owner, model.strip("/"), revision or "main")


_TAR = (".tar", ".tar.gz", ".tgz")


def archive_of(name: str) -> str:
    """`tar`, `zip` or "" by the ending of a file's name."""
    lower = name.lower()
    if lower.endswith(_TAR):
        return "tar"
    return "zip" if lower.endswith(".zip") else ""
