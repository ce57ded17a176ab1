"""TrainedModel (`serving.kserve.io/v1alpha1`): one of the models of a server that has many.

Its parent is an InferenceService without a model of its own. `memory` is what its author says it takes; the parent's
memory limit bounds the sum. Pure.
"""

# msgspec copies a mutable default for each instance.

from fractions import Fraction
from typing import Annotated

from msgspec import Meta

from inferplane.resources.meta import Condition, ObjectMeta, View
from inferplane.resources.schemas.quantities import amount
from inferplane.resources.serving.fields import Int64, Quantity
from inferplane.resources.serving.inferenceservice import Address

FINALIZER = "trainedmodel.finalizer"
PARENT_LABEL = "inferenceservice"
ALLOCATED_LABEL = "serving.kserve.io/trainedmodel-allocated"
SCHEMES = ("s3://", "gs://", "https://", "http://", "hf://", "hdfs://", "webhdfs://", "oci://", "file://", "/")
"""How a storageUri may begin. KServe's puller knows the first four; `/` and `file://` are for one machine."""


class TrainedModelSource(View, frozen=True, kw_only=True):
    """Where the model is, what it was made with, how much memory it needs."""

    storage_uri: Annotated[str, Meta(description="Where the model is, e.g. s3://bucket/path.")]
    framework: Annotated[str, Meta(description="What the model was made with, e.g. sklearn.")]
    memory: Annotated[Quantity, Meta(description="Memory that the model needs; it cannot be changed.")]

    @property
    def bytes(self) -> Fraction:
        """`memory` as a number; ValueError when it is no quantity."""
        return amount(str(self.memory))


class TrainedModelSpec(View, frozen=True, kw_only=True):
    """A model for a server that has many."""

    inference_service: Annotated[str, Meta(description="InferenceService of the namespace that is to serve it.")]
    model: Annotated[TrainedModelSource, Meta(description="The model.")]


class TrainedModelStatus(View, frozen=True, kw_only=True):
    """Where the model stands; written by the controller."""

    conditions: Annotated[list[Condition], Meta(description="Ready, and what it depends on.")] = []
    observed_generation: Annotated[Int64 | None, Meta(description="Generation of the spec that this is about.")] = None
    url: Annotated[str, Meta(description="URL for clients.")] = ""
    address: Annotated[Address | None, Meta(description="URL inside the cluster.")] = None


class TrainedModel(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: TrainedModelSpec
    status: TrainedModelStatus = TrainedModelStatus()

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def parent(self) -> str:
        return self.spec.inference_service

    @property
    def is_allocated(self) -> bool:
        """Whether it has its share of its parent's memory already."""
        return self.metadata.labels.get(ALLOCATED_LABEL) == self.parent
