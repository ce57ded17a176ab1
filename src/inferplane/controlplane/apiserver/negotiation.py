"""What form of answer the client wants, from its Accept header. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from inferplane.controlplane.apiserver.errors import StatusError, not_acceptable


class Form(StrEnum):
    """How an object is shown. Values are the `as` parameter of the media type."""

    OBJECT = ""
    TABLE = "Table"
    PARTIAL = "PartialObjectMetadata"
    PARTIAL_LIST = "PartialObjectMetadataList"
    DISCOVERY = "APIGroupDiscoveryList"


class Media(StrEnum):
    JSON = "application/json"
    YAML = "application/yaml"


# The versions that each transformed form is made in.
SERVED = {
    (Form.TABLE, "meta.k8s.io", "v1"),
    (Form.TABLE, "meta.k8s.io", "v1beta1"),
    (Form.PARTIAL, "meta.k8s.io", "v1"),
    (Form.PARTIAL, "meta.k8s.io", "v1beta1"),
    (Form.PARTIAL_LIST, "meta.k8s.io", "v1"),
    (Form.PARTIAL_LIST, "meta.k8s.io", "v1beta1"),
    (Form.DISCOVERY, "apidiscovery.k8s.io", "v2"),
    (Form.DISCOVERY, "apidiscovery.k8s.io", "v2beta1"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """`version` is that of the form (`v1` of `Table`), empty for plain objects."""

    form: Form = Form.OBJECT
    media: Media = Media.JSON
    version: str = ""

    @property
    def content_type(self) -> str:
        if self.form is Form.DISCOVERY:
            return f"{self.media};g=apidiscovery.k8s.io;v={self.version};as=APIGroupDiscoveryList"
        return str(self.media)


PLAIN = Wanted()


def negotiate(accept: str, forms: frozenset[Form]) -> Wanted:
    """The first offer in `accept` that can be met with one of `forms` (plain objects always can). Raises 406."""
    for offer in accept.split(",") if accept.strip() else ("*/*",):
        media, *parameters = (part.strip() for part in offer.split(";"))
        chosen = _choose(media.lower(), dict(_pair(text) for text in parameters), forms)
        if chosen is not None:
            return chosen
    raise _refusal()


def _refusal() -> StatusError:
    return not_acceptable("only the following media types are accepted: application/json, application/yaml")


def _choose(media: str, parameters: dict[str, str], forms: frozenset[Form]) -> Wanted | None:
    if media in ("*/*", "application/*"):
        media = Media.JSON
    if media not in (Media.JSON, Media.YAML):
        return None
    shape = parameters.get("as", "")
    if not shape:
        return Wanted(media=Media(media))
    version = parameters.get("v", "")
    if (shape, parameters.get("g", ""), version) in SERVED and Form(shape) in forms:
        return Wanted(Form(shape), Media(media), version)
    return None


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()
