"""A report about the load of one revision: what comes out of the gateway's counters and of the activator."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stat:
    """One report about one revision for about one second.

    Reports about the same revision and second add up: one part of the requests is seen by the gateway, another one by
    the activator, and none by both.
    """

    namespace: str
    revision: str
    concurrency: float
    """The time-weighted average of requests in flight over that second, waiting ones included."""
    requests: float
    """Arrivals per second."""
