"""Objects as the user asked to see them: `-o json`, `-o yaml`, `-o name`. Pure."""

from collections.abc import Sequence

import msgspec
import yaml

from inferplane.kernel.json import Json, JsonObject, object_at, text_at


def encoded(value: Json, form: str) -> str:
    """`json` (indented) or `yaml`, in the order of the fields given, without a newline at the end."""
    if form == "yaml":
        return yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True).rstrip("\n")
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def documents(bodies: Sequence[JsonObject], form: str) -> str:
    """Several objects: YAML as documents, JSON as a List. Both are what `kubectl apply -f -` takes."""
    if form == "yaml":
        return "\n---\n".join(encoded(one, "yaml") for one in bodies)
    items: list[Json] = [*bodies]
    return encoded({"apiVersion": "v1", "kind": "List", "items": items}, form)


def without_managed_fields(body: JsonObject) -> JsonObject:
    """What kubectl shows by default: `managedFields` is left out."""
    metadata = {key: value for key, value in object_at(body, "metadata").items() if key != "managedFields"}
    return {key: metadata if key == "metadata" else value for key, value in body.items()}


def kind_and_name(body: JsonObject) -> str:
    """`inferenceservice.serving.kserve.io/iris`, as `kubectl -o name` has it."""
    group = text_at(body, "apiVersion").rpartition("/")[0]
    kind = text_at(body, "kind").lower()
    return (
        f"{kind}.{group}/{text_at(body, 'metadata', 'name')}"
        if group
        else f"{kind}/{text_at(body, 'metadata', 'name')}"
    )
