"""Which versions of a model are served: the policy and the labels of TensorFlow Serving's configuration file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Policy:
    """The `latest` so many versions (0: all), or those that are `specific`."""

    latest: int = 1
    specific: tuple[int, ...] = ()

    def choose(self, versions: Iterable[int]) -> list[int]:
        """Of those that are there, the highest first."""
        found = sorted(versions, reverse=True)
        if self.specific:
            return [version for version in found if version in self.specific]
        return found[: self.latest] if self.latest else found


@dataclass(frozen=True, slots=True)
class Versions:
    """`labels` name versions: `stable` → 3."""

    policy: Policy = Policy()
    labels: Mapping[str, int] = field(default_factory=dict)
