"""ClusterStorageContainer (`serving.kserve.io/v1alpha1`): which container fetches models from which URIs."""

# msgspec copies a mutable default for each instance.

import re
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from inferplane.kernel.json import Json
from inferplane.resources.meta import ObjectMeta, View
from inferplane.resources.serving.fields import JsonObject


class WorkloadType(StrEnum):
    INIT_CONTAINER = "initContainer"
    LOCAL_MODEL_DOWNLOAD_JOB = "localModelDownloadJob"


class SupportedUriFormat(View, frozen=True, kw_only=True):
    """URIs that the container can fetch, by how they begin or by a regular expression."""

    prefix: Annotated[str, Meta(description="What the URI begins with, e.g. s3://.")] = ""
    regex: Annotated[str, Meta(description="Regular expression that the URI must match.")] = ""

    def fits(self, uri: str) -> bool:
        """Raises re.error for an expression that is none."""
        return bool(self.prefix and uri.startswith(self.prefix)) or bool(self.regex and re.match(self.regex, uri))


class StorageContainerSpec(View, frozen=True, kw_only=True):
    """A way to fetch models."""

    container: Annotated[
        JsonObject,
        Meta(
            description="The container that fetches; it gets the URI and the path as arguments.",
            extra_json_schema={"definition": "io.k8s.api.core.v1.Container"},
        ),
    ]
    supported_uri_formats: Annotated[list[SupportedUriFormat], Meta(description="URIs that it can fetch.")] = []
    workload_type: Annotated[WorkloadType, Meta(description="Whether it runs before a server or fills a cache.")] = (
        WorkloadType.INIT_CONTAINER
    )
    supports_multi_model_download: Annotated[
        bool, Meta(description="Whether it takes several pairs of URI and path at once.")
    ] = False


class ClusterStorageContainer(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: StorageContainerSpec
    disabled: Annotated[bool | None, Meta(description="Takes it out of use.")] = None


def default_storage_container() -> dict[str, Json]:
    """KServe's `default`, but image and resources stay those of the configuration (key storageInitializer)."""
    prefixes = ("gs://", "s3://", "hdfs://", "hf://", "webhdfs://")
    expressions = (
        r"https://(.+?).blob.core.windows.net/(.+)",
        r"https://(.+?).file.core.windows.net/(.+)",
        r"https?://(.+)/(.+)",
    )
    formats: list[Json] = [{"prefix": one} for one in prefixes]
    formats += [{"regex": one} for one in expressions]
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterStorageContainer",
        "metadata": {"name": "default"},
        "spec": {
            "container": {"name": "storage-initializer"},
            "supportedUriFormats": formats,
            "workloadType": "initContainer",
            "supportsMultiModelDownload": True,
        },
    }
