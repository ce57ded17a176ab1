"""The kinds that can be looked at without a server: ours, Knative's, Kubernetes' own, and those of CRDs in the files.

The validation rules (CEL) of a CRD count, but for the kinds of which `checking` says the same in words of its own.
"""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from inferplane.cli.manifests import Manifest
from inferplane.cli.offline.findings import Finding, Severity
from inferplane.cli.schema import FieldError, explained, names_beside, worded
from inferplane.controlplane.apiserver.cel.rules import Rules
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at
from inferplane.resources import schemas
from inferplane.resources.autoscaling_knative.crds import autoscaling_crds
from inferplane.resources.crds import all_crds
from inferplane.resources.knative.crds import knative_crds
from inferplane.resources.schemas import Schema

_CRD = "CustomResourceDefinition"
_HAVE_WORDS = ("InferenceService", "InferenceGraph", "ServingRuntime", "ClusterServingRuntime")


class Kinds:
    def __init__(self, manifests: Iterable[Manifest] = ()) -> None:
        given = [one.body for one in manifests if one.kind == _CRD]
        known = [*all_crds(), *knative_crds(), *autoscaling_crds(), *given]
        self._custom = {kind: schema for crd in known for kind, schema in _of_crd(crd)}

    def faults(self, manifest: Manifest) -> Iterator[Finding]:
        """Unknown fields, and values that don't fit."""
        own = self._custom.get((manifest.api_version, manifest.kind))
        if own is not None:
            yield from _unknown(manifest, own)
            misfits = schemas.validate(own, manifest.body)
            rules = None if misfits or manifest.kind in _HAVE_WORDS else Rules.of(own.document)
            for one in misfits or (rules.violations(manifest.body, None) if rules else []):
                yield Finding(manifest, one.path.replace("<nil>", ""), worded(one.message))
            return
        try:
            built_in = schemas.builtin(manifest.api_version, manifest.kind)
        except KeyError:
            yield self._strange(manifest)
            return
        yield from _unknown(manifest, built_in)
        for one in schemas.type_errors(built_in, manifest.body):
            yield Finding(manifest, one.path, worded(one.message))

    def _strange(self, manifest: Manifest) -> Finding:
        """Somebody else's kind cannot be looked at; one that is nearly ours is a slip of the pen."""
        near = get_close_matches(manifest.kind, sorted({kind for _, kind in self._custom}), n=1)
        versions = sorted({version for version, kind in self._custom if near and kind == near[0]})
        if not near:
            words = f"{manifest.api_version} {manifest.kind} is not known here and not looked at"
            return Finding(manifest, "kind", f"{words}: add the file of its CRD", Severity.WARNING)
        if near[0] == manifest.kind:
            return Finding(manifest, "apiVersion", f"{manifest.kind} is in {', '.join(versions)}")
        return Finding(manifest, "kind", f"there is no kind {manifest.kind}; did you mean {near[0]}?")


def _of_crd(crd: JsonObject) -> Iterator[tuple[tuple[str, str], Schema]]:
    group, kind = text_at(crd, "spec", "group"), text_at(crd, "spec", "names", "kind")
    for version in list_at(crd, "spec", "versions"):
        if isinstance(version, dict):
            document = object_at(version, "schema", "openAPIV3Schema")
            yield (f"{group}/{text_at(version, 'name')}", kind), schemas.custom(document)


def _unknown(manifest: Manifest, schema: Schema) -> Iterator[Finding]:
    for path in schemas.unknown_fields(schema, manifest.body):
        error = FieldError(path, unknown=True)
        yield Finding(manifest, path, explained(error, names_beside(schema, path)))
