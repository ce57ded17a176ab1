"""Counted numbers in the Prometheus client's terms. Imported when metrics are first asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.utils import floatToGoString

from inferplane.dataplane.server.metrics import FAMILIES, Family, cumulative

Totals = Mapping[tuple[str, tuple[str, ...]], list[float]]


class Collected(CollectorRegistry):
    """What the encoders want to be given."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        super().__init__()
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def of_authors(*, together: bool) -> Iterable[Metric]:
    """What model authors and libraries count, of all workers `together` or of this process."""
    if not together:
        return REGISTRY.collect()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the client's own omission
    return registry.collect()


def families(totals: Totals) -> Iterator[Metric]:
    for family in FAMILIES.values():
        metric = _MAKES[family.kind](family.name, family.help, labels=family.labels)
        for (name, labels), cells in sorted(totals.items()):
            if name == family.name:
                _add(metric, family, labels, cells)
        if metric.samples or not family.optional:
            yield metric


_MAKES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}


def _add(metric: Metric, family: Family, labels: Sequence[str], cells: Sequence[float]) -> None:
    if isinstance(metric, HistogramMetricFamily):
        bounds = [*map(floatToGoString, family.bounds), "+Inf"]
        metric.add_metric(labels, list(zip(bounds, cumulative(cells), strict=True)), cells[-1])
    elif isinstance(metric, CounterMetricFamily | GaugeMetricFamily):
        metric.add_metric(labels, cells[0])
