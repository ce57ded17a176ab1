"""Causes in what the user wrote: the format, the protocol, the named runtime, an invalid field. Pure.

The controller's verdict (`status.modelStatus.lastFailureInfo`, KServe's reasons) says that something is wrong; the
runtimes that exist say what would be right.
"""

from collections.abc import Iterable
from difflib import get_close_matches

from inferplane.cli.why.causes import Cause, Kind
from inferplane.cli.why.facts import Facts, FailureInfo, ModelSpec, Runtime
from inferplane.resources.meta import condition

FORMAT_FIELD = "spec.predictor.model.modelFormat.name"
PROTOCOL_FIELD = "spec.predictor.model.protocolVersion"
RUNTIME_FIELD = "spec.predictor.model.runtime"
REFUSALS = {
    "ReconcileFailed": "the controller could not apply it",
    "NotSupportedYet": "it asks for what is not there yet",
    "InvalidGPUAllocation": "its nodes have too few GPUs for the model",
}
_PARTS = frozenset({"PredictorReady", "TransformerReady", "ExplainerReady", "IngressReady"})
PROTOCOLS = ("v1", "v2", "grpc-v1", "grpc-v2")
LIST_RUNTIMES = "inferplane get clusterservingruntimes"


def spec_cause(facts: Facts) -> Cause | None:
    if facts.service is None:
        return None
    info = facts.service.status.model_status.last_failure_info
    # lastFailureInfo is not cleared on recovery (KServe), so it counts only while the spec is called invalid.
    if facts.service.status.model_status.transition_status != "InvalidSpec" or info is None:
        return _not_reconciled(facts)
    model = facts.service.spec.predictor.model or ModelSpec()
    match info.reason:
        case "RuntimeNotRecognized":
            return _runtime_unknown(model, facts.runtimes)
        case "RuntimeDisabled":
            return _runtime_disabled(model)
        case "NoSupportingRuntime":
            return _no_supporting_runtime(model, facts.runtimes, info)
        case _:
            summary = "the spec is not valid"
            return Cause(Kind.INVALID_SPEC, "predictor", summary, _lines(info.message), "correct the field named above")


def _not_reconciled(facts: Facts) -> Cause | None:
    assert facts.service is not None
    for one in facts.service.status.conditions:
        if one.reason == "ServerlessModeRejected":
            summary = "it asks for Knative mode, and there is no Knative"
            fix = "set the annotation  serving.kserve.io/deploymentMode: Standard"
            return Cause(Kind.MODE_REJECTED, "service", summary, _lines(one.message), fix)
        if one.reason in REFUSALS and one.type in _PARTS and one.status != "True":
            subject = one.type.removesuffix("Ready").lower()
            return Cause(Kind.NOT_RECONCILED, subject, REFUSALS[one.reason], _lines(one.message))
    if condition(facts.service.status.conditions, "Ready") is None and facts.service.status.observed_generation == 0:
        warnings = [e.message for e in facts.events if e.type == "Warning" and e.involved_object.name == facts.name]
        if warnings:
            summary = "the controller could not take it up"
            return Cause(Kind.NOT_RECONCILED, "controller", summary, tuple(warnings[-1:]))
    return None


def _runtime_unknown(model: ModelSpec, runtimes: tuple[Runtime, ...]) -> Cause:
    names = [one.metadata.name for one in runtimes]
    near = _nearest(model.runtime or "", names)
    return Cause(
        Kind.RUNTIME_UNKNOWN,
        "predictor",
        f'there is no runtime "{model.runtime}"',
        (f"there are: {', '.join(names) or 'none'}",),
        f"set  {RUNTIME_FIELD}: {near}"
        if near
        else f"remove  {RUNTIME_FIELD}  and one is chosen by the model's format",
    )


def _runtime_disabled(model: ModelSpec) -> Cause:
    return Cause(
        Kind.RUNTIME_DISABLED,
        "predictor",
        f'runtime "{model.runtime}" is disabled',
        fix=f"remove  {RUNTIME_FIELD}  to have another one chosen, or set spec.disabled of the runtime to false",
    )


def _no_supporting_runtime(model: ModelSpec, runtimes: tuple[Runtime, ...], info: FailureInfo) -> Cause:
    wanted = model.model_format.name
    # A runtime named by the user may serve a format that it doesn't offer by itself (autoSelect).
    usable = [one for one in runtimes if not one.spec.disabled and not one.spec.multi_model]
    serving = [one for one in usable if wanted in formats([one], named=bool(model.runtime))]
    if not serving:
        return _unknown_format(model, usable)
    protocols = sorted({one for runtime in serving for one in runtime.spec.protocol_versions}, key=_rank)
    protocol = model.protocol_version or "v1"
    if protocols and protocol not in protocols:
        return Cause(
            Kind.NO_PROTOCOL,
            "predictor",
            f'no runtime serves format "{wanted}" with protocol {protocol}',
            (f"there are: {', '.join(protocols)} ({', '.join(one.metadata.name for one in serving)})",),
            f"set  {PROTOCOL_FIELD}: {protocols[0]}",
        )
    if model.runtime and model.runtime not in [one.metadata.name for one in serving]:
        return Cause(
            Kind.UNKNOWN_FORMAT,
            "predictor",
            f'runtime "{model.runtime}" does not serve format "{wanted}"',
            (f"these do: {', '.join(one.metadata.name for one in serving)}",),
            f"remove  {RUNTIME_FIELD}  and one that does is chosen",
        )
    versions = sorted(
        {f.version for one in serving for f in one.spec.supported_model_formats if f.name == wanted and f.version}
    )
    return Cause(
        Kind.UNKNOWN_FORMAT,
        "predictor",
        f'no runtime serves version {model.model_format.version} of format "{wanted}"',
        (f"there are: {', '.join(versions)}",) if versions else _lines(info.message),
        "remove  spec.predictor.model.modelFormat.version  or set one of these",
    )


def _unknown_format(model: ModelSpec, runtimes: list[Runtime]) -> Cause:
    wanted = model.model_format.name
    known = formats(runtimes)
    near = _nearest(wanted, known)
    protocol = f" with protocol {model.protocol_version}" if model.protocol_version else ""
    return Cause(
        Kind.UNKNOWN_FORMAT,
        "predictor",
        f'no runtime serves format "{wanted}"{protocol}',
        (f"there are: {', '.join(known) or 'none'} ({LIST_RUNTIMES})",),
        f"set  {FORMAT_FIELD}: {near}" if near else f"set  {FORMAT_FIELD}  to one of these, or add a ServingRuntime",
    )


def formats(runtimes: Iterable[Runtime], *, named: bool = False) -> list[str]:
    """The formats that these runtimes offer by themselves, or (`named`) that they can serve when asked by name."""
    return sorted(
        {f.name for one in runtimes for f in one.spec.supported_model_formats if f.name and (named or f.auto_select)}
    )


def _rank(protocol: str) -> tuple[int, str]:
    """REST before gRPC, as KServe ranks them."""
    return (PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS), protocol)


def _nearest(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word.lower(), list(known), n=1)
    return near[0] if near else ""


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.splitlines() if line.strip())
