"""What CEL can say of one object: rules of KServe's webhooks that a cluster itself checks on every write.

Each is the sentence that `resources.serving.validation` has for it, so an object that slipped past (another CRD, an
older object) is refused in the same words by the controller. Rules over lists of any length are left to the controller:
their estimated cost is beyond what Kubernetes allows a CRD.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inferplane.kernel.json import Json, JsonObject, object_at
from inferplane.resources.serving.inferenceservice import FRAMEWORKS, NAME_PATTERN
from inferplane.resources.serving.trainedmodel import SCHEMES

_MODELS = ("model", *FRAMEWORKS)
_ONE_MODEL = "exactly one of model, a framework or containers of your own is needed"


@dataclass(frozen=True, slots=True)
class Rule:
    """`self` in the expression is what stands at the path; with `oldSelf` in it, it holds changes only."""

    expression: str
    message: str


def _given(field: str) -> str:
    """Whether a list or text is there and not empty."""
    return f"(has(self.{field}) && size(self.{field}) > 0)"


def _uri(of: str) -> str:
    """The URI of the model of `self` or `oldSelf`, whichever field it is under."""
    words = "''"
    for one in reversed(_MODELS):
        words = f"has({of}.{one}) && has({of}.{one}.storageUri) ? {of}.{one}.storageUri : ({words})"
    return f"({words})"


_GIVEN_MODELS = "[" + ", ".join(f"has(self.{one})" for one in _MODELS) + "]"
_NAMES_DIFFER = "(has(self.name) ? self.name : '') != (has(oldSelf.name) ? oldSelf.name : '')"

_REPLICAS = Rule(
    "!has(self.maxReplicas) || self.maxReplicas == 0"
    " || (has(self.minReplicas) ? self.minReplicas : 1) <= self.maxReplicas",
    "minReplicas is more than maxReplicas",
)
_LOGGER = (
    Rule("has(self.mode)", "mode is needed: all, request or response"),
    Rule(
        "!has(self.storage) || (has(self.storage.path) && has(self.storage.parameters) && has(self.storage.key))",
        "storage needs path, parameters and key",
    ),
    Rule("!has(self.batchSize) || self.batchSize >= 1", "batchSize must be 1 or more"),
)
_BATCHER = tuple(
    Rule(f"!has(self.{field}) || self.{field} >= {least}", f"{field} must be {least} or more")
    for field, least in (("maxBatchSize", 1), ("maxLatency", 0), ("timeout", 1))
)
_MODEL = (
    Rule("!has(self.name) || self.name == ''", "the container of a model cannot be named"),
    Rule(
        "!has(self.confidential) || !has(self.confidential.enabled) || !self.confidential.enabled"
        f" || {_given('storageUri')}",
        "an encrypted model needs storageUri",
    ),
)
_SIZES = tuple(
    Rule(f"!has(self.{one}) || self.{one} >= 1", f"{one} must be 1 or more")
    for one in ("pipelineParallelSize", "tensorParallelSize")
)
_WORKERS = (Rule("!has(self.containers) || size(self.containers) <= 1", "workers have one container at most"), *_SIZES)

_PREDICTOR = (
    Rule(f"{_GIVEN_MODELS}.filter(one, one).size() <= 1", _ONE_MODEL),
    Rule(f"{_GIVEN_MODELS}.exists(one, one) || {_given('containers')}", f"{_ONE_MODEL}, there is none"),
    Rule(
        "!has(self.storageUris) || !["
        + ", ".join(f"has(self.{one}) && has(self.{one}.storageUri) && self.{one}.storageUri != ''" for one in _MODELS)
        + "].exists(one, one)",
        "storageUri and storageUris cannot both be set",
    ),
    Rule(
        f"!({_NAMES_DIFFER}) || {_uri('self')} == '' || {_uri('self')} != {_uri('oldSelf')}",
        "name can change only together with the model's storageUri",
    ),
    _REPLICAS,
)
_TRANSFORMER = (Rule(_given("containers"), "containers of your own are needed"), _REPLICAS)
_EXPLAINER = (Rule(f"has(self.art) || {_given('containers')}", "art or containers of your own are needed"), _REPLICAS)

INFERENCE_SERVICE: Mapping[str, Sequence[Rule]] = {
    "": (
        Rule(
            f"self.metadata.name.matches('{NAME_PATTERN}')",
            "the name must start with a lower-case letter and hold only lower-case letters, digits and '-'",
        ),
    ),
    "spec.predictor": _PREDICTOR,
    **{f"spec.predictor.{one}": _MODEL for one in _MODELS},
    "spec.predictor.workerSpec": _WORKERS,
    "spec.transformer": _TRANSFORMER,
    "spec.explainer": _EXPLAINER,
    **{f"spec.{one}.logger": _LOGGER for one in ("predictor", "transformer", "explainer")},
    **{f"spec.{one}.batcher": _BATCHER for one in ("predictor", "transformer", "explainer")},
}
RUNTIME: Mapping[str, Sequence[Rule]] = {
    "spec": (
        Rule(
            "(has(self.disabled) && self.disabled) || !has(oldSelf.workerSpec) || has(self.workerSpec)",
            "workerSpec cannot be removed",
        ),
    ),
    "spec.workerSpec": _WORKERS,
}

_PREFIXES = ", ".join(SCHEMES)
TRAINED_MODEL: Mapping[str, Sequence[Rule]] = {
    "": (
        Rule(
            f"self.metadata.name.matches('{NAME_PATTERN}')",
            "the name must start with a lower-case letter and hold only lower-case letters, digits and '-'",
        ),
    ),
    "spec.model": (
        Rule(
            "[" + ", ".join(f"'{one}'" for one in SCHEMES) + "].exists(one, self.storageUri.startsWith(one))",
            f"storageUri must begin with one of {_PREFIXES}",
        ),
        Rule("self.memory == oldSelf.memory", "memory cannot be changed: delete the TrainedModel and create it again"),
    ),
}

GRAPH: Mapping[str, Sequence[Rule]] = {
    "": (
        Rule(
            f"self.metadata.name.matches('{NAME_PATTERN}')",
            "the name must start with a lower-case letter and hold only lower-case letters, digits and '-'",
        ),
    ),
    "spec.nodes": (Rule("'root' in self", "no node is named root, which takes the requests"),),
    "spec.nodes.*": (
        Rule(
            "self.routerType != 'Splitter' || !has(self.steps) || self.steps.all(one, has(one.weight))",
            "every step of a Splitter needs a weight",
        ),
    ),
    "spec.nodes.*.steps.[]": (
        Rule(
            "[" + ", ".join(_given(one) for one in ("nodeName", "serviceName", "serviceUrl")) + "]"
            ".filter(one, one).size() == 1",
            "exactly one of nodeName, serviceName and serviceUrl is needed",
        ),
    ),
}


def ruled(schema: JsonObject, rules: Mapping[str, Sequence[Rule]]) -> JsonObject:
    """`schema` with the rules put where they belong."""
    for path, here in rules.items():
        schema = _at(schema, path.split(".") if path else [], here)
    return schema


_ALL_OF = {"*": "additionalProperties", "[]": "items"}
"""Words of a path that stand for every value of a map, and every item of a list."""


def _at(schema: JsonObject, path: Sequence[str], rules: Sequence[Rule]) -> JsonObject:
    if not path:
        written: list[Json] = [{"rule": one.expression, "message": one.message} for one in rules]
        return schema | {"x-kubernetes-validations": written}
    first, *rest = path
    if (inner := _ALL_OF.get(first)) is not None:
        return schema | {inner: _at(object_at(schema, inner), rest, rules)}
    properties = object_at(schema, "properties")
    return schema | {"properties": properties | {first: _at(object_at(properties, first), rest, rules)}}
