"""What is kept of cold starts: a Prometheus histogram of their phases."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Histogram, generate_latest

_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class ColdStarts:
    """One observation a phase (`timing.PHASES`) for each request that found its service asleep."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "inferplane_cold_start_seconds",
            "Time of a request in the activator while its service started, and of what it waited for.",
            ("phase",),
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def observe(self, phases: Mapping[str, float]) -> None:
        """Milliseconds by phase."""
        for phase, took in phases.items():
            self._seconds.labels(phase).observe(took / 1000)

    def exposition(self) -> bytes:
        """As Prometheus reads it (text format 0.0.4)."""
        return generate_latest(self._registry)
