"""Which models are in memory, what each takes, and which of them are to make room. Pure.

Sizes of single models are measured one by one and are never quite right: an allocator gives and takes pages, not
models. What the process takes as a whole is right. So the ledger shares the whole out by the sizes: a model counts for
its size times how much the whole exceeds their sum.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

ROOM = 0.05
"""Share of the limit that is freed beyond need, so that not every load has to make room."""


@dataclass
class Ledger:
    """Bytes. `base` is what the process takes without any model; `limit` None is no limit."""

    limit: int | None
    base: int = 0
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.sizes.values())

    def excess(self, used: int, incoming: int = 0) -> int:
        """How much is to be freed so that `incoming` fits when the process takes `used`; 0 or less: nothing."""
        return 0 if self.limit is None else used + incoming - self.limit

    def fits_at_all(self, size: int) -> bool:
        """Whether a model of that size fits when no other is in memory."""
        return self.limit is None or self.base + size <= self.limit

    def victims(
        self, excess: int, used: int, last_used: Mapping[str, float], may_go: Callable[[str], bool]
    ) -> Sequence[str]:
        """Those to unload, the least recently used first, until `excess` and some room are freed."""
        if excess <= 0 or self.limit is None:
            return []
        scale = max(1.0, (used - self.base) / max(1, self.total))
        needed = excess + ROOM * self.limit
        found = []
        for name in sorted(self.sizes, key=lambda one: last_used.get(one, 0.0)):
            if needed <= 0:
                break
            if may_go(name):
                found.append(name)
                needed -= self.sizes[name] * scale
        return found
