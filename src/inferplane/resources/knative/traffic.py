"""Traffic targets: which revision gets which share, in a spec and in a status."""

from typing import Annotated

from msgspec import Meta

from inferplane.resources.meta import View
from inferplane.resources.serving.fields import Int64

_TAG = {"pattern": r"^([a-z]([-a-z0-9]*[a-z0-9])?)?$", "maxLength": 63}
_PERCENT = {"minimum": 0, "maximum": 100}
_NAME = {"maxLength": 253}


class Address(View, frozen=True, kw_only=True):
    url: Annotated[str, Meta(description="The URL.")] = ""


class TrafficTarget(View, frozen=True, kw_only=True):
    """A share of the traffic. `latestRevision`: it goes to whichever revision was ready last."""

    tag: Annotated[str, Meta(description="Gives the target a host of its own.", extra_json_schema=_TAG)] = ""
    revision_name: Annotated[str, Meta(description="The revision.", extra_json_schema=_NAME)] = ""
    configuration_name: Annotated[
        str, Meta(description="Of this Configuration the revision that was ready last.", extra_json_schema=_NAME)
    ] = ""
    latest_revision: Annotated[bool | None, Meta(description="The revision that was ready last.")] = None
    percent: Annotated[Int64 | None, Meta(description="Share of the requests.", extra_json_schema=_PERCENT)] = None
    url: Annotated[str, Meta(description="Where the tagged target is reached.")] = ""

    @property
    def follows_latest(self) -> bool:
        """A target that names no revision follows the latest one."""
        return not self.revision_name if self.latest_revision is None else self.latest_revision
