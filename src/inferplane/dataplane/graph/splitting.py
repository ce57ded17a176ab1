"""Which step of a Splitter takes a request. Pure: the draw is made elsewhere."""

from collections.abc import Sequence

from inferplane.dataplane.graph.plan import Step

OUTCOMES = 100


def chosen(steps: Sequence[Step], drawn: int) -> Step:
    """`drawn` is one of 0 … 99, all as likely; the weights sum to 100."""
    end = 0
    for step in steps:
        end += step.weight
        if drawn < end:
            return step
    raise ValueError(f"expected a draw below {end}, the sum of the weights, got {drawn}")
