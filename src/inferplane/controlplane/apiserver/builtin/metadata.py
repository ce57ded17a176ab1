"""What metadata has to be, for every kind, built in or custom."""

from collections.abc import Callable

from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.apiserver.builtin import names
from inferplane.controlplane.apiserver.builtin.filling import parts
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.values import forbidden, invalid, required, too_long

_LONGEST_ANNOTATIONS = 256 * 1024
# Named by a DNS label; all others by a DNS subdomain.
_LABEL_NAMED = frozenset({("", "Namespace"), ("", "Service")})
_STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_IMMUTABLE = ("uid", "deletionTimestamp", "deletionGracePeriodSeconds")


def name_rule(resource: Resource) -> Callable[[str], list[str]]:
    named_by_label = (resource.group, resource.kind) in _LABEL_NAMED
    return names.label_name if named_by_label else names.subdomain_name


def metadata_errors(resource: Resource, obj: JsonObject) -> list[FieldError]:
    metadata = object_at(obj, "metadata")
    name, prefix = text_at(metadata, "name"), text_at(metadata, "generateName")
    rule = name_rule(resource)
    found = []
    if prefix:
        # A prefix may end where a name may not: the suffix comes behind it.
        stem = prefix.rstrip("-.") or prefix
        found += [invalid("metadata.generateName", prefix, one) for one in rule(stem)]
    if not name:
        return [*found, required("metadata.name", "name or generateName is required")]
    found += [invalid("metadata.name", name, one) for one in rule(name)]
    found += label_errors(metadata.get("labels"), "metadata.labels")
    found += _annotation_errors(metadata.get("annotations"), "metadata.annotations")
    found += _owner_errors(metadata)
    return found + _finalizer_errors(resource, metadata)


def label_errors(labels: Json, path: str) -> list[FieldError]:
    """Of labels and of whatever selects by them."""
    found = []
    for key, value in labels.items() if isinstance(labels, dict) else ():
        found += [invalid(path, key, one) for one in names.qualified_name(key)]
        found += [invalid(path, value, one) for one in names.label_value(str(value))]
    return found


def _annotation_errors(annotations: Json, path: str) -> list[FieldError]:
    if not isinstance(annotations, dict):
        return []
    found = [invalid(path, key, one) for key in annotations for one in names.qualified_name(key.lower())]
    size = sum(len(key.encode()) + len(str(value).encode()) for key, value in annotations.items())
    return found if size <= _LONGEST_ANNOTATIONS else [*found, too_long(path, _LONGEST_ANNOTATIONS)]


def _owner_errors(metadata: JsonObject) -> list[FieldError]:
    found = []
    controllers = []
    for i, owner in enumerate(parts(metadata, "ownerReferences")):
        path = f"metadata.ownerReferences[{i}]"
        for key, message in (("apiVersion", "version must not be empty"), ("kind", "must not be empty")):
            found += [] if owner.get(key) else [invalid(f"{path}.{key}", "", message)]
        found += [invalid(f"{path}.{key}", "", "must not be empty") for key in ("name", "uid") if not owner.get(key)]
        if owner.get("controller") is True:
            controllers.append(text_at(owner, "name"))
    if len(controllers) > 1:
        message = (
            'Only one reference can have Controller set to true. Found "true" in references for '
            f"{controllers[0]} and {controllers[1]}"
        )
        found.append(invalid("metadata.ownerReferences", metadata["ownerReferences"], message))
    return found


def _finalizer_errors(resource: Resource, metadata: JsonObject) -> list[FieldError]:
    found = []
    for name in list_at(metadata, "finalizers"):
        text = str(name)
        found += [invalid("metadata.finalizers", text, one) for one in names.qualified_name(text)]
        if "/" not in text and text not in _STANDARD_FINALIZERS and resource.group in ("", "apps"):
            message = "name is neither a standard finalizer name nor is it fully qualified"
            found.append(invalid("metadata.finalizers", text, message))
    return found


def metadata_update_errors(resource: Resource, old: JsonObject, new: JsonObject) -> list[FieldError]:
    before, after = object_at(old, "metadata"), object_at(new, "metadata")
    found = [
        invalid(f"metadata.{key}", after[key], "field is immutable")
        for key in ("name", "namespace", *_IMMUTABLE)
        if after.get(key) and after.get(key) != before.get(key)
    ]
    added = [str(one) for one in list_at(after, "finalizers") if one not in list_at(before, "finalizers")]
    if before.get("deletionTimestamp") and added:
        listed = ", ".join(f'"{one}"' for one in added)
        message = (
            f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
        )
        found.append(forbidden("metadata.finalizers", message))
    return found


def metadata_errors_after_update(resource: Resource, obj: JsonObject) -> list[FieldError]:
    """As for a new object, but the name it has is not judged again."""
    return [one for one in metadata_errors(resource, obj) if one.path != "metadata.name"]
