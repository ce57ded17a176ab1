"""CustomResourceDefinitions: names that fit together, one stored version, a schema for each."""

from inferplane.controlplane.apiserver.builtin import names
from inferplane.controlplane.apiserver.builtin.filling import parts
from inferplane.controlplane.apiserver.builtin.structural import structural_errors
from inferplane.controlplane.apiserver.cel.definition import rule_errors
from inferplane.kernel.json import Json, JsonObject, object_at, text_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.values import invalid, not_supported, required

_SCOPES: list[Json] = ["Cluster", "Namespaced"]


def definition_errors(obj: JsonObject) -> list[FieldError]:
    spec = object_at(obj, "spec")
    found = _naming_errors(obj, spec)
    if spec.get("scope") not in _SCOPES:
        scope = spec.get("scope")
        found.append(not_supported("spec.scope", scope, _SCOPES) if scope else required("spec.scope"))
    versions = list(parts(spec, "versions"))
    stored = [one for one in versions if one.get("storage") is True]
    if len(stored) != 1:
        message = "must have exactly one version marked as storage version"
        found.append(invalid("spec.versions", spec.get("versions", []), message))
    for i, version in enumerate(versions):
        found += [
            invalid(f"spec.versions[{i}].name", text_at(version, "name"), one) for one in _version_faults(version)
        ]
        if not object_at(version, "schema", "openAPIV3Schema"):
            found.append(required(f"spec.versions[{i}].schema.openAPIV3Schema", "schemas are required"))
    return found or _schema_errors(versions)


def _schema_errors(versions: list[JsonObject]) -> list[FieldError]:
    """A schema that all versions share is a real server's `spec.validation`. Rules are for schemas that are sound."""
    schemas = [object_at(version, "schema", "openAPIV3Schema") for version in versions]
    if all(one == schemas[0] for one in schemas):
        places = [(schemas[0], "spec.validation.openAPIV3Schema")]
    else:
        places = [(one, f"spec.versions[{i}].schema.openAPIV3Schema") for i, one in enumerate(schemas)]
    found = [error for one, path in places for error in structural_errors(one, path)]
    return found or [error for one, path in places for error in rule_errors(one, path)]


def _version_faults(version: JsonObject) -> list[str]:
    return names.label_name(text_at(version, "name"))


def _naming_errors(obj: JsonObject, spec: JsonObject) -> list[FieldError]:
    group = text_at(spec, "group")
    plural, kind = text_at(spec, "names", "plural"), text_at(spec, "names", "kind")
    found = []
    if not group:
        found.append(required("spec.group"))
    elif "." not in group:
        found.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    else:
        found += [invalid("spec.group", group, one) for one in names.subdomain_name(group)]
    found += [required(f"spec.names.{key}") for key in ("plural", "kind") if not text_at(spec, "names", key)]
    name = text_at(obj, "metadata", "name")
    if plural and group and name != f"{plural}.{group}":
        found.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    if kind:
        found += [invalid("spec.names.kind", kind, one) for one in names.label_name(kind.lower())]
    return found


def definition_update_errors(old: JsonObject, new: JsonObject) -> list[FieldError]:
    found = []
    for path in (("group",), ("scope",), ("names", "plural"), ("names", "kind")):
        before, after = text_at(old, "spec", *path), text_at(new, "spec", *path)
        if before != after:
            found.append(invalid(f"spec.{'.'.join(path)}", after, "field is immutable"))
    return found
