"""Which module speaks to which store. Libraries are imported when the first URI of a kind comes."""

from collections.abc import Mapping

from inferplane.dataplane.storage import uris
from inferplane.dataplane.storage.errors import StorageError, shown
from inferplane.dataplane.storage.remote import Remote


def opened(uri: str, environ: Mapping[str, str]) -> Remote:
    """The store behind `uri`. Raises StorageError; most of what can be wrong shows only with `entries`."""
    match uris.store_of(uri):
        case uris.LOCAL:
            from inferplane.dataplane.storage.local import LocalArchive

            return LocalArchive(uri)
        case uris.S3:
            from inferplane.dataplane.storage.s3 import S3

            return S3(uri, environ)
        case uris.AZURE_BLOB:
            from inferplane.dataplane.storage.azure import AzureBlobs

            return AzureBlobs(uri, environ)
        case uris.GCS:
            from inferplane.dataplane.storage.gcs import CloudStorage

            return CloudStorage(uri, environ)
        case uris.HUGGING_FACE:
            from inferplane.dataplane.storage.hub import Hub

            return Hub(uri, environ)
        case uris.HDFS:
            from inferplane.dataplane.storage.webhdfs import WebHdfs

            return WebHdfs(uri, environ)
        case uris.OCI:
            from inferplane.dataplane.storage.oci import Image

            return Image(uri, environ)
        case uris.GIT:
            from inferplane.dataplane.storage.git import Repository

            return Repository(uri, environ)
        case uris.HTTP:
            from inferplane.dataplane.storage.http import HttpFile

            return HttpFile(uri, environ)
    raise StorageError(f"{shown(uri)}: {uris.store_of(uri)} can't be fetched from yet", fix="copy it to another store")
