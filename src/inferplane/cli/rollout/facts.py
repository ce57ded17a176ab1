"""What `rollout` looks at: the shares of a service's components, and its revisions.

`collect` fills these from the API; tests make them up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inferplane.resources.knative import Revision
from inferplane.resources.meta import ConditionStatus, condition
from inferplane.resources.serving.inferenceservice import ComponentStatus

COMPONENTS = ("predictor", "transformer", "explainer")
"""In the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component. `percent` is its `canaryTrafficPercent`, None where the spec has none."""

    name: str
    percent: int | None
    status: ComponentStatus
    revisions: Sequence[Revision] = ()
    """Newest first."""

    @property
    def newest(self) -> str:
        """The revision of the spec as it is, ready or not; "" before there is one."""
        return self.status.latest_created_revision

    @property
    def stable(self) -> str:
        """The revision that takes what the newest one does not; "" where there is none.

        That is the last one that had all requests or, where this is the newest one itself, the one before it: KServe
        goes back to that once `canaryTrafficPercent` says so.
        """
        last = self.status.latest_rolledout_revision
        return last if last != self.newest else self.status.previous_rolledout_revision

    def shares(self) -> dict[str, int]:
        """Revision → percent of the requests, those with none left out."""
        found: dict[str, int] = {}
        for one in self.status.traffic:
            if one.percent:
                found[one.revision_name] = found.get(one.revision_name, 0) + one.percent
        return found

    def revision(self, name: str) -> Revision | None:
        return next((one for one in self.revisions if one.metadata.name == name), None)

    def failure(self) -> str:
        """Why the newest revision cannot take requests; "" while it can, or may yet."""
        newest = self.revision(self.newest)
        ready = condition(newest.status.conditions, "Ready") if newest else None
        if ready is None or ready.status is not ConditionStatus.FALSE:
            return ""
        return ": ".join(word for word in (ready.reason, ready.message) if word) or "not ready"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A service. `mode` is its deployment mode, "" while that has not been decided."""

    name: str
    namespace: str
    mode: str
    components: Mapping[str, Component]
