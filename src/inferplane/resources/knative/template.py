"""The template of a revision: metadata, and a pod with four fields of Knative's own."""

# msgspec copies a mutable default for each instance.

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import Meta

from inferplane.resources.meta import View
from inferplane.resources.serving.fields import Count64, JsonObject


class TemplateMeta(View, frozen=True, kw_only=True):
    """Name, labels and annotations of the revision."""

    name: Annotated[str, Meta(description="Name of the revision; made up when absent.")] = ""
    labels: Annotated[dict[str, str], Meta(description="Labels of the revision and its pods.")] = {}
    annotations: Annotated[dict[str, str], Meta(description="Annotations of the revision and its pods.")] = {}


class RevisionTemplate(View, frozen=True, kw_only=True):
    """`spec` is a pod's with the fields of `RevisionLimits`, as it was written."""

    metadata: TemplateMeta = TemplateMeta()
    spec: JsonObject = {}


class RevisionLimits(View, frozen=True, kw_only=True):
    """What a revision runs: a pod, and what one of its pods may be asked to do."""

    INLINES: ClassVar[str] = "io.k8s.api.core.v1.PodSpec"

    container_concurrency: Annotated[
        Count64 | None, Meta(description="Requests that a pod takes at the same time; 0: any number.")
    ] = None
    timeout_seconds: Annotated[Count64 | None, Meta(description="Longest time of a request; 300 when absent.")] = None
    response_start_timeout_seconds: Annotated[
        Count64 | None, Meta(description="Longest time until the answer starts.")
    ] = None
    idle_timeout_seconds: Annotated[Count64 | None, Meta(description="Longest time without a byte of the answer.")] = (
        None
    )


def containers(spec: Mapping[str, object], field: str = "containers") -> list[JsonObject]:
    """Of a pod; what is no object is left out."""
    found = spec.get(field)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def serving_container(spec: Mapping[str, object]) -> JsonObject:
    """The container that gets the requests: the only one, or the one that declares a port. Empty when there is none."""
    found = containers(spec)
    if len(found) == 1:
        return found[0]
    return next((one for one in found if one.get("ports")), {})
