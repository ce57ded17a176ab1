"""Objects put into a bucket: `s3://`, `gs://`, `abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/`. Used by the logger.

Who asks, and how the store is reached, is said by the same variables as for models (docs/storage.md).
"""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

from inferplane.dataplane.storage import settings
from inferplane.dataplane.storage.errors import StorageError, shown


class Uploads(Protocol):
    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Writes one object, in place of one of that name. On a thread. Raises StorageError; Interrupted for what a
        later try may mend."""
        ...


def uploads(url: str, environ: Mapping[str, str]) -> Uploads:
    """To the URL's bucket. Raises StorageError, NotInstalled."""
    environ = settings.effective(environ)
    parts = urlsplit(url)
    if parts.scheme == "s3":
        from inferplane.dataplane.storage.s3 import S3

        return S3(f"s3://{parts.netloc}/", environ)
    if parts.scheme in ("gs", "gcs"):
        from inferplane.dataplane.storage.gcs import WRITE, CloudStorage

        return CloudStorage(f"gs://{parts.netloc}/", environ, scope=WRITE)
    from inferplane.dataplane.storage.azure import AzureBlobs

    return AzureBlobs(_blob_url(url), environ)


def _blob_url(url: str) -> str:
    """`abfs://CONTAINER@ACCOUNT.dfs…` as Blob Storage names the container; without an account the environment's."""
    parts = urlsplit(url)
    if not parts.username or not parts.hostname:
        raise StorageError(f"{shown(url)}: expected abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH")
    account = parts.hostname.partition(".")[0]
    return f"https://{account}.blob.core.windows.net/{parts.username}/"
