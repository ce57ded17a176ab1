"""What the server counts: KServe's four histograms by model, and requests by model, protocol and code."""

from collections.abc import Iterable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

STAGES = ("preprocess", "predict", "explain", "postprocess")


class ModelMetrics:
    """The metrics of one model, resolved once so that counting costs no look-up by label."""

    __slots__ = ("_codes", "_counter", "_name", "postprocess", "predict", "preprocess")

    def __init__(self, name: str, stages: dict[str, Histogram], counter: Counter) -> None:
        self._name = name
        self._counter = counter
        self._codes: dict[tuple[str, int], Counter] = {}
        self.preprocess = stages["preprocess"].labels(name)
        self.predict = stages["predict"].labels(name)
        self.postprocess = stages["postprocess"].labels(name)

    def answered(self, protocol: str, code: int) -> None:
        key = (protocol, code)
        counter = self._codes.get(key)
        if counter is None:
            counter = self._codes[key] = self._counter.labels(self._name, protocol, str(code))
        counter.inc()


class Metrics:
    """The server's own registry; `exposition` adds the process-wide one, where authors keep theirs."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._stages = {
            stage: Histogram(
                f"request_{stage}_seconds", f"{stage} request latency", ["model_name"], registry=self._registry
            )
            for stage in STAGES
        }
        self._requests = Counter(
            "inferplane_requests",
            "Inference requests answered",
            ["model_name", "protocol", "code"],
            registry=self._registry,
        )

    def of_model(self, name: str) -> ModelMetrics:
        """`name` is empty for requests for a model that there is not."""
        return ModelMetrics(name, self._stages, self._requests)

    def collect(self) -> Iterable[Metric]:
        yield from REGISTRY.collect()
        yield from self._registry.collect()

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """(body, content type): Prometheus text, or OpenMetrics for those who accept it."""
        encode, content_type = choose_encoder(accept)
        return encode(_Collected(list(self.collect()))), content_type


class _Collected(CollectorRegistry):
    """What the encoders want to be given."""

    def __init__(self, metrics: list[Metric]) -> None:
        super().__init__()
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics
