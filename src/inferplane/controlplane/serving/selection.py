"""Which runtime serves a model: KServe's rules, as a function from runtimes to a choice or a reason.

A runtime of the service's own namespace beats every cluster runtime, whatever their priorities; within one scope the
priority for the format decides, then protocol, then age.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inferplane.resources.serving.inferenceservice import FailureReason, ModelSpec
from inferplane.resources.serving.runtime import ServingRuntime, ServingRuntimeSpec, SupportedModelFormat

_PROTOCOL_RANK = {"v1": 1, "v2": 2, "grpc-v1": 3, "grpc-v2": 4}
_UNRANKED = 5
DEFAULT_PROTOCOL = "v1"


@dataclass(frozen=True, slots=True)
class NoRuntime:
    """`summary` is what KServe's `lastFailureInfo` says; `detail` adds what to do."""

    reason: FailureReason
    summary: str
    detail: str

    @property
    def message(self) -> str:
        return f"{self.summary}: {self.detail}"


def choose(
    model: ModelSpec,
    namespaced: Sequence[ServingRuntime],
    cluster: Sequence[ServingRuntime],
    *,
    multi_node: bool = False,
) -> ServingRuntime | NoRuntime:
    """`namespaced` holds the runtimes of the service's namespace only."""
    if model.runtime:
        return _named(model, model.runtime, [*namespaced, *cluster])
    fitting = [*_candidates(model, namespaced, multi_node), *_candidates(model, cluster, multi_node)]
    return fitting[0] if fitting else _nothing_fits(model, [*namespaced, *cluster])


def _named(model: ModelSpec, name: str, runtimes: Sequence[ServingRuntime]) -> ServingRuntime | NoRuntime:
    runtime = next((one for one in runtimes if one.metadata.name == name), None)
    if runtime is None:
        have = ", ".join(sorted(one.metadata.name for one in runtimes)) or "none"
        return NoRuntime(
            FailureReason.RUNTIME_NOT_RECOGNIZED,
            "Waiting for runtime to become available",
            f"no ServingRuntime or ClusterServingRuntime is called {name!r}; have: {have}",
        )
    if runtime.spec.disabled:
        return NoRuntime(
            FailureReason.RUNTIME_DISABLED, "Specified runtime is disabled", f"{name} has spec.disabled: true"
        )
    if model.protocol_version and not speaks(runtime.spec, model.protocol_version):
        return NoRuntime(
            FailureReason.NO_SUPPORTING_RUNTIME,
            "Specified runtime does not support specified protocol version",
            f"{name} speaks {', '.join(runtime.spec.protocol_versions)}, not {model.protocol_version}",
        )
    if not _serves(runtime.spec.supported_model_formats, model):
        return NoRuntime(
            FailureReason.NO_SUPPORTING_RUNTIME,
            "Specified runtime does not support specified framework/version",
            f"{name} serves {_formats([runtime])}, not {_wanted(model)}",
        )
    return runtime


def _candidates(model: ModelSpec, runtimes: Sequence[ServingRuntime], multi_node: bool) -> list[ServingRuntime]:
    protocol = model.protocol_version or DEFAULT_PROTOCOL
    fitting = [
        one
        for one in _in_order(runtimes)
        if not one.spec.disabled
        and not one.spec.multi_model
        and _serves([entry for entry in one.spec.supported_model_formats if entry.auto_select], model)
        and speaks(one.spec, protocol)
        and (one.spec.worker_spec is not None) == multi_node
    ]
    return sorted(fitting, key=lambda one: -_priority(one.spec, model.model_format.name))


def _in_order(runtimes: Sequence[ServingRuntime]) -> list[ServingRuntime]:
    by_name = sorted(runtimes, key=lambda one: one.metadata.name)
    newest_first = sorted(by_name, key=lambda one: one.metadata.creation_timestamp or "", reverse=True)
    return sorted(newest_first, key=lambda one: _best_protocol(one.spec))


def _best_protocol(spec: ServingRuntimeSpec) -> int:
    return min((_PROTOCOL_RANK.get(one, _UNRANKED) for one in spec.protocol_versions), default=_UNRANKED)


def _priority(spec: ServingRuntimeSpec, format: str) -> int:
    """Of the first entry with that name (KServe's rule); priorities start at 1, so 0 puts those without one last."""
    entry = next((one for one in spec.supported_model_formats if one.name == format), None)
    return entry.priority or 0 if entry else 0


def _serves(entries: Sequence[SupportedModelFormat], model: ModelSpec) -> bool:
    wanted = model.model_format
    return any(one.name == wanted.name and (not wanted.version or one.version == wanted.version) for one in entries)


def speaks(spec: ServingRuntimeSpec, protocol: str) -> bool:
    return not spec.protocol_versions or protocol in spec.protocol_versions


def _nothing_fits(model: ModelSpec, runtimes: Sequence[ServingRuntime]) -> NoRuntime:
    protocol = model.protocol_version or DEFAULT_PROTOCOL
    others = [one for one in runtimes if not one.spec.disabled and _serves(one.spec.supported_model_formats, model)]
    if others:
        near = "; ".join(_nearness(one) for one in _in_order(others))
        detail = f"those that serve the format: {near}; set protocolVersion, or runtime to one of them"
    else:
        detail = f"formats that can be served: {_formats(runtimes)}"
    summary = f"No runtime found to support model format {_wanted(model)} with protocol {protocol}"
    return NoRuntime(FailureReason.NO_SUPPORTING_RUNTIME, summary, detail)


def _nearness(runtime: ServingRuntime) -> str:
    protocols = ", ".join(runtime.spec.protocol_versions) or "any protocol"
    return f"{runtime.metadata.name} ({protocols})"


def _formats(runtimes: Sequence[ServingRuntime]) -> str:
    names = {
        one.name for runtime in runtimes if not runtime.spec.disabled for one in runtime.spec.supported_model_formats
    }
    return ", ".join(sorted(names)) or "none"


def _wanted(model: ModelSpec) -> str:
    wanted = model.model_format
    return f"{wanted.name!r}" + (f" version {wanted.version!r}" if wanted.version else "")
