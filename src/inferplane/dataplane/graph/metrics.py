"""What a router counts, in Prometheus' terms: requests to the graph and calls of its steps."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class GraphMetrics:
    """Steps go by `place`: NODE/STEP."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter("inferplane_graph_requests", "Requests answered.", ["code"], registry=self.registry)
        self._seconds = Histogram(
            "inferplane_graph_request_duration_seconds",
            "From request to answer.",
            buckets=BOUNDS,
            registry=self.registry,
        )
        self.in_flight = Gauge("inferplane_graph_requests_in_flight", "Requests under way.", registry=self.registry)
        self._steps = Histogram(
            "inferplane_graph_step_duration_seconds",
            "A step's call, from request to answer.",
            ["step"],
            buckets=BOUNDS,
            registry=self.registry,
        )
        self._codes = Counter(
            "inferplane_graph_step_calls",
            "Calls of steps by status; failed where none came.",
            ["step", "code"],
            registry=self.registry,
        )

    def answered(self, place: str, status: int, seconds: float) -> None:
        self._count(place, str(status), seconds)

    def failed(self, place: str, seconds: float) -> None:
        self._count(place, "failed", seconds)

    def _count(self, place: str, code: str, seconds: float) -> None:
        self._steps.labels(place).observe(seconds)
        self._codes.labels(place, code).inc()

    def request(self, status: int, seconds: float) -> None:
        self._requests.labels(str(status)).inc()
        self._seconds.observe(seconds)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Body and content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type
