"""Pod templates of Deployments and ReplicaSets as they are stored: controllers copy and hash them as JSON, so that no
field that we don't know is lost on the way to a Pod."""

from typing import Self

import msgspec

from inferplane.controlplane.machinery.cache import Excerpt
from inferplane.kernel.json import JsonObject, object_at

_decoder: msgspec.json.Decoder[JsonObject] = msgspec.json.Decoder()


class StoredTemplate(Excerpt):
    """Kept as text: decoded, it would take ten times the memory of all else that is kept of the object."""

    __slots__ = ("_text",)

    def __init__(self, text: bytes) -> None:
        self._text = text

    @classmethod
    def of(cls, item: JsonObject) -> Self:
        return cls(msgspec.json.encode(object_at(item, "spec", "template")))

    @property
    def text(self) -> bytes:
        return self._text

    @classmethod
    def from_text(cls, text: bytes) -> Self:
        return cls(text)

    @property
    def json(self) -> JsonObject:
        """A new one each time."""
        return _decoder.decode(self._text)


def status_patch(before: msgspec.Struct, after: JsonObject, resource_version: str) -> JsonObject:
    """A merge patch from one status to another; refused when the object has changed since."""
    gone = dict.fromkeys(msgspec.to_builtins(before).keys() - after.keys())
    return {"metadata": {"resourceVersion": resource_version}, "status": {**gone, **after}}


def with_annotations(patch: JsonObject, annotations: dict[str, str]) -> JsonObject:
    """The patch, which sets these too."""
    return patch | {"metadata": object_at(patch, "metadata") | {"annotations": {**annotations}}}
