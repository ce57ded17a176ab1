"""InferenceGraph (`serving.kserve.io/v1alpha1`): every field that KServe has, as types.

A graph is a map of nodes, of which `root` takes the requests; each has steps that lead to another node, to an
InferenceService, or to a URL. The controller fills in `serviceUrl` of the steps that name a service and hands the whole
spec, as JSON, to the router (`dataplane.graph`), which reads it with these types.
"""

# msgspec copies a mutable default for each instance.

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from inferplane.resources.meta import Condition, ObjectMeta, View
from inferplane.resources.serving.fields import Int32, Int64, JsonObject
from inferplane.resources.serving.scaling import ScaleMetric

ROOT = "root"
REQUEST, RESPONSE = "$request", "$response"
MOST = 256
"""Nodes of a graph and steps of a node: without a bound a CRD may have no rule over them."""


class RouterType(StrEnum):
    SEQUENCE = "Sequence"
    SPLITTER = "Splitter"
    ENSEMBLE = "Ensemble"
    SWITCH = "Switch"


class Dependency(StrEnum):
    SOFT = "Soft"
    HARD = "Hard"


class Step(View, frozen=True, kw_only=True):
    """Where a node sends a request: to another node, to an InferenceService or to a URL."""

    name: Annotated[str, Meta(description="Name of the step, one of its own within the node.")] = ""
    node_name: Annotated[str, Meta(description="The node that goes on.")] = ""
    service_name: Annotated[str, Meta(description="The InferenceService, of the graph's namespace.")] = ""
    service_url: Annotated[str, Meta(description="The URL that is asked, in place of a service.")] = ""
    data: Annotated[
        str,
        Meta(
            description="What is sent: $request (the node's input) or $response (of the step before), or .PATH of it."
        ),
    ] = ""
    map_predictions_to_instances: Annotated[
        bool, Meta(description="Send predictions as instances (V1), outputs as inputs (V2).")
    ] = False
    weight: Annotated[Int64 | None, Meta(description="Share of the requests in percent (Splitter).")] = None
    condition: Annotated[
        str, Meta(description="Path (gjson) that must lead somewhere: in the input (Switch) or the response before.")
    ] = ""
    dependency: Annotated[
        Dependency | None, Meta(description="Hard: its failure ends the node; Soft (the default): it does not.")
    ] = None

    @property
    def is_hard(self) -> bool:
        return self.dependency is Dependency.HARD


class Node(View, frozen=True, kw_only=True):
    """One way of sending a request on."""

    router_type: Annotated[
        RouterType,
        Meta(
            description="Sequence: one step after the other; Splitter: one by weight; Ensemble: all at once, the "
            "answers merged; Switch: the first whose condition holds."
        ),
    ]
    steps: Annotated[list[Step], Meta(description="Where it is sent.", extra_json_schema={"maxItems": MOST})] = []


class RouterTimeouts(View, frozen=True, kw_only=True):
    """Seconds."""

    server_read: Annotated[Int64 | None, Meta(description="Longest time to read a request; 60 when absent.")] = None
    server_write: Annotated[Int64 | None, Meta(description="Longest time to answer one; 60 when absent.")] = None
    server_idle: Annotated[
        Int64 | None, Meta(description="Longest pause between two requests of a connection; 180 when absent.")
    ] = None
    service_client: Annotated[
        Int64 | None, Meta(description="Longest time of one call of a step; no bound when absent.")
    ] = None


def _kubernetes(definition: str, description: str) -> Meta:
    return Meta(description=description, extra_json_schema={"definition": definition})


class InferenceGraphSpec(View, frozen=True, kw_only=True):
    """The nodes, and how the router that carries them out runs."""

    nodes: Annotated[
        dict[str, Node],
        Meta(description="The nodes by name; root takes the requests.", extra_json_schema={"maxProperties": MOST}),
    ]
    resources: Annotated[
        JsonObject, _kubernetes("io.k8s.api.core.v1.ResourceRequirements", "Resources of the router's container.")
    ] = {}
    affinity: Annotated[JsonObject | None, _kubernetes("io.k8s.api.core.v1.Affinity", "Where pods go.")] = None
    tolerations: Annotated[
        list[Annotated[JsonObject, _kubernetes("io.k8s.api.core.v1.Toleration", "A taint that is tolerated.")]],
        Meta(description="Taints of nodes that the pods tolerate."),
    ] = []
    node_selector: Annotated[dict[str, str], Meta(description="Labels that the pods' node must have.")] = {}
    node_name: Annotated[str, Meta(description="The node that the pods must run on.")] = ""
    service_account_name: Annotated[str, Meta(description="The account that the pods run as.")] = ""
    timeout: Annotated[Int64 | None, Meta(description="Longest time of a request, in seconds (Knative mode).")] = None
    router_timeouts: Annotated[RouterTimeouts | None, Meta(description="Time limits of the router.")] = None
    min_replicas: Annotated[Int32 | None, Meta(description="Fewest routers; 1 when absent.")] = None
    max_replicas: Annotated[Int32 | None, Meta(description="Most routers; 0 or absent sets no bound.")] = None
    scale_target: Annotated[Int32 | None, Meta(description="Value of scaleMetric to hold.")] = None
    scale_metric: Annotated[ScaleMetric | None, Meta(description="What to scale on.")] = None


class InferenceGraphStatus(View, frozen=True, kw_only=True):
    """Where the graph stands; written by the controller."""

    conditions: Annotated[list[Condition], Meta(description="Ready, and what it depends on.")] = []
    observed_generation: Annotated[Int64 | None, Meta(description="Generation of the spec that this is about.")] = None
    url: Annotated[str, Meta(description="URL for clients.")] = ""
    deployment_mode: Annotated[str, Meta(description="Standard or Knative; it never changes.")] = ""


class InferenceGraph(View, frozen=True, kw_only=True):
    """As the controller reads it; `spec` stays JSON, so that a graph with a mistake in it is read too."""

    metadata: ObjectMeta = ObjectMeta()
    spec: JsonObject = {}
    status: InferenceGraphStatus = InferenceGraphStatus()
