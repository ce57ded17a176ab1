"""What the server counts: KServe's four histograms by model, requests, payload bytes, the queue and the batches.

Counting is an addition in memory (0.2 µs); names, labels and text are made when somebody asks. Of several worker
processes each counts in a region of its own, and any of them tells the sum of all.
"""

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import add
from time import time
from typing import TYPE_CHECKING, Literal

from inferplane.dataplane.server.cells import Cells, CellWriter, Region, groups, private

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

STAGES = ("preprocess", "predict", "explain", "postprocess")

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The Prometheus client's default bounds, which KServe's histograms have."""

WAITS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
COUNTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)

_MODEL = ("model_name",)


@dataclass(frozen=True, slots=True)
class Family:
    """A metric as it is told. Counters' names are without `_total`."""

    name: str
    help: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...] = _MODEL
    bounds: tuple[float, ...] = ()
    optional: bool = False
    """Told only where something counts it."""


FAMILIES = {
    family.name: family
    for family in (
        *(
            Family(f"request_{stage}_seconds", f"{stage} request latency", "histogram", bounds=SECONDS)
            for stage in STAGES
        ),
        Family("inferplane_requests", "Requests answered", "counter", (*_MODEL, "protocol", "code")),
        Family("inferplane_request_bytes", "Bytes of the bodies of requests", "counter", (*_MODEL, "protocol")),
        Family("inferplane_response_bytes", "Bytes of the bodies of answers", "counter", (*_MODEL, "protocol")),
        Family("inferplane_rejected", "Requests not computed, by reason", "counter", (*_MODEL, "reason")),
        Family("inferplane_in_flight", "Requests taken and not yet answered", "gauge"),
        Family("inferplane_queue_length", "Requests that wait for their turn", "gauge"),
        Family("inferplane_queue_wait_seconds", "Time from arrival to computation", "histogram", bounds=WAITS),
        Family("inferplane_batch_requests", "Requests computed together", "histogram", bounds=COUNTS),
        Family("inferplane_batch_rows", "Rows computed together", "histogram", bounds=COUNTS),
        Family("inferplane_logger_queued", "Events that wait for a log sink", "gauge", ("sink",), optional=True),
        Family("inferplane_logger_sent", "Events that a log sink has taken", "counter", ("sink",), optional=True),
        Family(
            "inferplane_logger_dropped", "Events without room or time to be sent", "counter", ("sink",), optional=True
        ),
        Family("inferplane_logger_failed", "Events that a log sink has refused", "counter", ("sink",), optional=True),
        Family("inferplane_models", "Models of a server of many, by state", "gauge", ("state",), optional=True),
        Family("inferplane_model_loads", "Models loaded, by outcome", "counter", ("result",), optional=True),
        Family("inferplane_model_load_seconds", "Time that loading models took", "counter", (), optional=True),
        Family("inferplane_model_unloads", "Models unloaded to make room", "counter", (), optional=True),
        Family("inferplane_models_memory_bytes", "Memory of the process", "gauge", (), optional=True),
        Family("inferplane_models_memory_limit_bytes", "Memory past which models go", "gauge", (), optional=True),
        Family("inferplane_pulls", "Steps of the puller, by outcome", "counter", ("step", "result"), optional=True),
        Family("inferplane_pull_config_in_force", "Whether models.json can be used", "gauge", (), optional=True),
    )
}

OTHERS = "_other"
"""Label of the models past the first MOST of a server that has many."""

MOST = 200


BATCHES = "inferplane_batches"
"""Group of (model, rows): runs of exactly so many rows, and seconds before, in and after the model. Not told as a
metric: too many label values."""

LAST = "inferplane_last_inference"
"""Group of (model): when its last run ended, in seconds since the epoch."""

LARGEST_BATCH = 256
"""Rows. Clients make up the sizes of larger ones, and each size takes a group."""


class Series:
    """One counter or gauge."""

    __slots__ = ("_cells",)

    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def add(self, amount: float = 1.0) -> None:
        self._cells[0] += amount

    def set(self, value: float) -> None:
        self._cells[0] = value

    @property
    def value(self) -> float:
        return self._cells[0]


class Distribution:
    """One histogram: a cell for each bucket, the one past all bounds, and the sum."""

    __slots__ = ("_bounds", "_cells", "_sum")

    def __init__(self, cells: Cells, bounds: tuple[float, ...]) -> None:
        self._cells = cells
        self._bounds = bounds
        self._sum = len(bounds) + 1

    def observe(self, value: float, times: int = 1) -> None:
        cells = self._cells
        cells[bisect_left(self._bounds, value)] += times
        cells[self._sum] += value * times

    def observe_all(self, values: Sequence[float]) -> None:
        cells, bounds = self._cells, self._bounds
        for value in values:
            cells[bisect_left(bounds, value)] += 1
        cells[self._sum] += sum(values)

    @property
    def count(self) -> int:
        return int(sum(self._cells[: self._sum]))

    @property
    def sum(self) -> float:
        return self._cells[self._sum]


class ModelMetrics:
    """The metrics of one model, resolved once so that counting costs no look-up by label. For the loop's thread."""

    __slots__ = (
        "_batches",
        "_codes",
        "_last",
        "_metrics",
        "_name",
        "_rejected",
        "_sizes",
        "batch_requests",
        "batch_rows",
        "explain",
        "in_flight",
        "postprocess",
        "predict",
        "preprocess",
        "queue_length",
        "queue_wait",
    )

    def __init__(self, name: str, metrics: "Metrics") -> None:
        self._name = name
        self._metrics = metrics
        self._codes: dict[tuple[str, int], Series] = {}
        self._sizes: dict[str, tuple[Series, Series]] = {}
        self._rejected: dict[str, Series] = {}
        self._batches: dict[int, Cells] = {}
        self._last = metrics.series(LAST, name)
        self.preprocess = metrics.distribution("request_preprocess_seconds", name)
        self.predict = metrics.distribution("request_predict_seconds", name)
        self.explain = metrics.distribution("request_explain_seconds", name)
        self.postprocess = metrics.distribution("request_postprocess_seconds", name)
        self.queue_wait = metrics.distribution("inferplane_queue_wait_seconds", name)
        self.batch_requests = metrics.distribution("inferplane_batch_requests", name)
        self.batch_rows = metrics.distribution("inferplane_batch_rows", name)
        # Several models that share their series would each set a gauge to its own.
        self.queue_length = metrics.series("inferplane_queue_length", name) if name != OTHERS else _unseen()
        self.in_flight = metrics.series("inferplane_in_flight", name) if name != OTHERS else _unseen()

    def answered(self, protocol: str, code: int) -> None:
        counter = self._codes.get((protocol, code))
        if counter is None:
            counter = self._metrics.series("inferplane_requests", self._name, protocol, str(code))
            self._codes[protocol, code] = counter
        counter.add()

    def carried(self, protocol: str, received: int, sent: int) -> None:
        """Bytes of bodies."""
        counters = self._sizes.get(protocol)
        if counters is None:
            counters = self._sizes[protocol] = (
                self._metrics.series("inferplane_request_bytes", self._name, protocol),
                self._metrics.series("inferplane_response_bytes", self._name, protocol),
            )
        counters[0].add(received)
        counters[1].add(sent)

    def ran(self, rows: int, before: float, seconds: float, after: float) -> None:
        """A run of so many rows has ended."""
        self._last.set(time())
        if rows > LARGEST_BATCH:
            return
        cells = self._batches.get(rows)
        if cells is None:
            cells = self._batches[rows] = self._metrics.group(4, BATCHES, self._name, str(rows))
        cells[0] += 1
        cells[1] += before
        cells[2] += seconds
        cells[3] += after

    def rejected(self, reason: str) -> None:
        """`reason`: queue_full, deadline or left."""
        counter = self._rejected.get(reason)
        if counter is None:
            counter = self._rejected[reason] = self._metrics.series("inferplane_rejected", self._name, reason)
        counter.add()


class Metrics:
    """The series of this process, and what all processes counted. `regions` are everybody's, `own` among them.

    `authors_share`: the Prometheus client, which authors use, is in its multiprocess mode.
    """

    def __init__(
        self,
        own: Region | None = None,
        regions: Sequence[Region] = (),
        *,
        authors_share: bool = False,
        most_models: int | None = None,
    ) -> None:
        """Past `most_models` models have their series in common."""
        own = private() if own is None else own
        self._regions = regions or (own,)
        self._authors_share = authors_share
        self._writer = CellWriter(own)
        for name, cells in groups(own):
            # What is in flight here is not what was in flight in the process whose place this one took.
            family = FAMILIES.get(_unpacked(name)[0])
            if family is not None and family.kind == "gauge":
                cells[0] = 0.0
        self._models: dict[str, ModelMetrics] = {}
        self._most_models = most_models
        self.before_told: list[Callable[[], None]] = []
        """Called before the series are told: what is not counted as it happens is set then."""

    def include(self, region: Region) -> None:
        """What another process counts there is told here too."""
        self._regions = (*self._regions, region)

    def of_model(self, name: str) -> ModelMetrics:
        """`name` is empty for requests for a model that there is not."""
        found = self._models.get(name)
        if found is None and name and self._most_models is not None and len(self._models) >= self._most_models:
            name = OTHERS
            found = self._models.get(name)
        if found is None:
            found = self._models[name] = ModelMetrics(name, self)
        return found

    def series(self, family: str, *labels: str) -> Series:
        return Series(self.group(1, family, *labels))

    def group(self, cells: int, family: str, *labels: str) -> Cells:
        return self._writer.group(packed(family, labels), cells)

    def distribution(self, family: str, *labels: str) -> Distribution:
        bounds = FAMILIES[family].bounds
        return Distribution(self.group(len(bounds) + 2, family, *labels), bounds)

    def totals(self) -> Mapping[tuple[str, tuple[str, ...]], list[float]]:
        """(family, label values) → cells, added up over all processes; of LAST the latest."""
        found: dict[tuple[str, tuple[str, ...]], list[float]] = {}
        for region in self._regions:
            for text, cells in groups(region):
                name = _unpacked(text)
                values: list[float] = list(cells)
                before = found.get(name)
                together = max if name[0] == LAST else add
                found[name] = values if before is None else list(map(together, before, values))
        return found

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """(body, content type): Prometheus text, or OpenMetrics for those who accept it.

        With what authors keep in the Prometheus client's own registry; with several workers that is theirs together
        when the client is in its multiprocess mode.
        """
        from prometheus_client.exposition import choose_encoder

        from inferplane.dataplane.server.exposition import Collected, families, of_authors

        for update in self.before_told:
            update()
        encode, content_type = choose_encoder(accept)
        mine: Iterable[Metric] = families(self.totals())
        return encode(Collected([*of_authors(together=self._authors_share), *mine])), content_type


def _unseen() -> Series:
    return Series(memoryview(bytearray(8)).cast("d"))


def cumulative(cells: Sequence[float]) -> list[float]:
    """Of a histogram's cells: how many observations are at most each bound, and how many there are."""
    return list(accumulate(cells[:-1]))


def packed(family: str, labels: Sequence[str]) -> str:
    return json.dumps([family, *labels])


def _unpacked(name: str) -> tuple[str, tuple[str, ...]]:
    family, *labels = json.loads(name)
    return family, tuple(labels)
