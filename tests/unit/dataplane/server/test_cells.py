"""Counting in memory that processes share."""

import os

import pytest

from inferplane.dataplane.server.cells import CellWriter, groups, shared
from inferplane.dataplane.server.metrics import Metrics


def test_what_one_process_counts_another_reads() -> None:
    region = shared()
    child = os.fork()
    if child == 0:
        CellWriter(region).group("é", 2)[1] = 2.5
        os._exit(0)
    os.waitpid(child, 0)
    assert [(name, list(cells)) for name, cells in groups(region)] == [("é", [0.0, 2.5])]


def test_the_next_writer_of_a_region_goes_on_where_the_last_one_stopped() -> None:
    region = shared()
    CellWriter(region).group("a", 1)[0] += 3
    later = CellWriter(region)
    later.group("b", 1)[0] += 1
    later.group("a", 1)[0] += 1
    assert {name: list(cells) for name, cells in groups(region)} == {"a": [4.0], "b": [1.0]}


def test_a_full_region_keeps_what_it_has(caplog: pytest.LogCaptureFixture) -> None:
    region = bytearray(64)
    writer = CellWriter(region)
    writer.group("first", 2)[0] = 1.0
    for name in ("second", "third"):
        writer.group(name, 2)[0] = 1.0
    assert [(name, list(cells)) for name, cells in groups(region)] == [("first", [1.0, 0.0])]
    assert len(caplog.records) == 1


def test_workers_tell_the_sum_and_a_replaced_one_starts_with_nothing_in_flight() -> None:
    regions = (shared(), shared())
    one, other = (Metrics(region, regions) for region in regions)
    for metrics, times in ((one, 2), (other, 3)):
        metrics.of_model("m").predict.observe(0.02, times)
        metrics.of_model("m").in_flight.set(times)
        for _ in range(times):
            metrics.of_model("m").answered("v1", 200)
    replaced = Metrics(regions[0], regions)
    replaced.of_model("m").answered("v1", 200)
    for metrics in (replaced, other):
        text = metrics.exposition("")[0].decode()
        assert 'inferplane_requests_total{code="200",model_name="m",protocol="v1"} 6.0' in text
        assert 'request_predict_seconds_count{model_name="m"} 5.0' in text
        assert 'inferplane_in_flight{model_name="m"} 3.0' in text


def test_observations_fall_into_buckets_as_the_prometheus_client_has_them() -> None:
    metrics = Metrics()
    mine = metrics.of_model("m").predict
    mine.observe_all([0.005, 0.0051, 11.0])
    text = metrics.exposition("")[0].decode()
    for bound, count in (("0.005", 1), ("0.01", 2), ("10.0", 2), ("+Inf", 3)):
        assert f'request_predict_seconds_bucket{{le="{bound}",model_name="m"}} {count}.0' in text
    assert mine.sum == pytest.approx(11.0101)


def test_openmetrics_is_spoken_to_those_who_accept_it() -> None:
    body, content_type = Metrics().exposition("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
