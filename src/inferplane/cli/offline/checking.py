"""Everything that can be said against objects in files before a cluster sees them."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

import msgspec

from inferplane.cli.manifests import Manifest
from inferplane.cli.offline import knative, planning
from inferplane.cli.offline.findings import Finding, Severity
from inferplane.cli.offline.kinds import Kinds
from inferplane.cli.offline.world import (
    World,
    is_config,
    is_runtime,
    is_service,
    runtime_of,
    service_of,
    world_of,
)
from inferplane.client.kubernetes.kinds import INFERENCE_GRAPH
from inferplane.controlplane.serving.plan import NOT_SUPPORTED_YET, Blocked, Plan
from inferplane.kernel.json import object_at
from inferplane.resources.core import ConfigMap
from inferplane.resources.serving import graph_validation, runtime_validation, validation
from inferplane.resources.serving.config import ConfigError, parse
from inferplane.resources.serving.inferencegraph import InferenceGraphSpec
from inferplane.resources.serving.inferenceservice import FRAMEWORKS, FailureReason

_FIELDS = {
    "storageUri": "spec.predictor.model.storageUri",
    "storageContainerName": "spec.predictor.storageContainerName",
}
_FORMAT, _RUNTIME = "spec.predictor.model.modelFormat", "spec.predictor.model.runtime"


def check(manifests: Sequence[Manifest], namespace: str) -> list[Finding]:
    """In the order of the files. `namespace` is for objects that name none."""
    kinds = Kinds(manifests)
    found = {index: list(kinds.faults(one)) for index, one in enumerate(manifests)}
    found = {index: [*faults, *_config(manifests[index], faults)] for index, faults in found.items()}
    sound = [one for index, one in enumerate(manifests) if not any(fault.is_error for fault in found[index])]
    world, settings = world_of(sound, namespace), knative.settings_of(sound)
    for index, one in enumerate(manifests):
        if one in sound:
            found[index] += [*_rules(one, world, namespace), *_of_knative(one, settings)]
    return [finding for index in sorted(found) for finding in sorted(found[index], key=lambda one: one.at)]


def _config(manifest: Manifest, faults: Sequence[Finding]) -> Iterator[Finding]:
    """First of all, as the rest is judged by it."""
    if not is_config(manifest) or faults:
        return
    try:
        parse(msgspec.convert(manifest.body, ConfigMap).data)
    except ConfigError as error:
        key = next((one for one in object_at(manifest.body, "data") if f"key {one}:" in error.message), "")
        yield Finding(manifest, f"data.{key}" if key else "data", str(error))


def _rules(manifest: Manifest, world: World, namespace: str) -> Iterator[Finding]:
    try:
        if is_service(manifest):
            yield from _service(manifest, world, namespace)
        elif manifest.kind == INFERENCE_GRAPH.kind:
            spec = msgspec.convert(object_at(manifest.body, "spec"), InferenceGraphSpec)
            for words in graph_validation.problems(manifest.name, spec):
                yield _worded(manifest, words)
        elif is_runtime(manifest):
            runtime = runtime_of(manifest, namespace)
            gpus = world.config.multi_node.custom_gpu_resource_type_list
            for words in runtime_validation.problems(runtime, world.beside(runtime), gpus):
                yield _worded(manifest, words)
    except msgspec.ValidationError as error:
        # The schema let it pass; the types are the last word.
        yield Finding(manifest, "", str(error))


def _of_knative(manifest: Manifest, settings: knative.Settings) -> Iterator[Finding]:
    try:
        if knative.is_ours(manifest):
            yield from (Finding(manifest, path, words) for path, words in knative.problems(manifest, settings))
    except msgspec.ValidationError as error:
        yield Finding(manifest, "", str(error))


def _service(manifest: Manifest, world: World, namespace: str) -> Iterator[Finding]:
    todo = planning.plan_of(service_of(manifest, namespace), world)
    gpus = world.config.multi_node.custom_gpu_resource_type_list
    problems = validation.problems(todo.isvc, todo.spec, gpus) if todo.spec else []
    yield from (_worded(manifest, words) for words in problems)
    if todo.blocked is not None and not problems:
        yield _blocked(manifest, todo, todo.blocked, world)
    if todo.blocked is None and todo.ingress_blocked is not None:
        yield _blocked(manifest, todo, todo.ingress_blocked, world)


def _blocked(manifest: Manifest, todo: Plan, blocked: Blocked, world: World) -> Finding:
    if blocked.reason == NOT_SUPPORTED_YET:
        return _worded(manifest, blocked.message, Severity.WARNING)
    model = todo.spec.predictor.model if todo.spec else None
    match blocked.failure:
        case FailureReason.RUNTIME_NOT_RECOGNIZED | FailureReason.RUNTIME_DISABLED:
            return _at(
                manifest, _RUNTIME, blocked.message + _near(model.runtime if model else None, _runtime_names(world))
            )
        case FailureReason.NO_SUPPORTING_RUNTIME:
            wanted = model.model_format.name if model else None
            return _at(manifest, _FORMAT, blocked.message + _near(wanted, _formats(world)))
        case _:
            return _worded(manifest, blocked.message)


def _runtime_names(world: World) -> list[str]:
    return [one.metadata.name for one in world.runtimes]


def _formats(world: World) -> list[str]:
    return sorted({entry.name for one in world.runtimes for entry in one.spec.supported_model_formats})


def _near(word: str | None, known: Sequence[str]) -> str:
    """A hint when another word was nearly written."""
    if not word or word in known:
        return ""
    near = get_close_matches(word.lower(), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _worded(manifest: Manifest, words: str, severity: Severity = Severity.ERROR) -> Finding:
    """Of `PATH: WORDS` or `PATH WORDS`, of words that begin with a field's name, or about the object as a whole."""
    path, colon, message = words.partition(": ")
    if colon and " " not in path:
        return _at(manifest, path, message, severity)
    first, _, rest = words.partition(" ")
    if first.startswith("spec."):
        return _at(manifest, first, rest, severity)
    return _at(manifest, _FIELDS.get(first, ""), words, severity)


def _at(manifest: Manifest, path: str, message: str, severity: Severity = Severity.ERROR) -> Finding:
    """The line is that of what the user wrote: `sklearn` for the model that it stands for, a key for an annotation."""
    written = path.replace("[", ".").replace("]", "") if path.startswith("metadata.annotations[") else path
    if written.startswith("spec.predictor.model") and "spec.predictor.model" not in manifest.lines:
        shortcut = next((one for one in FRAMEWORKS if f"spec.predictor.{one}" in manifest.lines), "model")
        written = written.replace("spec.predictor.model", f"spec.predictor.{shortcut}", 1)
    return Finding(manifest, path, message, severity, manifest.line_of(written))
