"""Two looks at services: rates, quantiles, and the words for what is not known."""

from math import inf

import pytest

from inferplane.cli.top.collect import gateway_traffic, served
from inferplane.cli.top.compare import Quantile, Row, quantile, rows
from inferplane.cli.top.render import document, table
from inferplane.cli.top.samples import Histogram, Name, Replicas, Sample, Served, Traffic, Use

IRIS = Name("default", "iris", "predictor")
ENVOY = """\
cluster.default/iris-predictor_80.upstream_rq_active: 2
cluster.default/iris-predictor_80.upstream_rq_total: 100
cluster.default/iris-predictor_80/h2c.upstream_rq_total: 11
cluster.ml.x/odd_80.upstream_rq_total: 5
cluster.xds.upstream_rq_total: 1
"""
METRICS = """\
# TYPE request_predict_seconds histogram
request_predict_seconds_bucket{model_name="iris",le="0.005"} 90.0
request_predict_seconds_bucket{model_name="iris",le="0.01"} 100.0
request_predict_seconds_bucket{model_name="iris",le="+Inf"} 100.0
request_predict_seconds_sum{model_name="iris"} 0.25
request_predict_seconds_count{model_name="iris"} 100.0
# TYPE inferplane_requests counter
inferplane_requests_total{model_name="iris",protocol="v1",code="200"} 90.0
inferplane_requests_total{model_name="iris",protocol="v2",code="500"} 10.0
# TYPE inferplane_in_flight gauge
inferplane_in_flight{model_name="iris"} 3.0
"""


def histogram(first: float, second: float, third: float, seconds: float = 0.0) -> Histogram:
    return Histogram({0.005: first, 0.01: first + second, inf: first + second + third}, seconds)


def sample(at: float, total: float = 0.0, **more: object) -> Sample:
    fields: dict[str, object] = {"gateway": {IRIS: Traffic(total, 2.0)}, "services": {IRIS: Replicas(3, 2)}} | more
    return Sample(at, **fields)  # type: ignore[arg-type]  # fields of Sample that a test is about


def only(before: Sample, after: Sample) -> Row:
    [found] = rows(before, after)
    return found


def test_a_rate_is_what_came_between_two_looks() -> None:
    found = only(sample(10.0, 100.0), sample(12.0, 250.0, use={IRIS: Use(0.25, 1 << 20)}))
    assert (found.rate, found.active, found.wanted, found.ready) == (75.0, 2, 3, 2)
    assert (found.cpu, found.memory) == (0.25, 1 << 20)


def test_a_gateway_that_was_restarted_counts_from_nothing() -> None:
    assert only(sample(10.0, 1000.0), sample(12.0, 8.0)).rate == 0.0


def test_without_a_gateway_the_servers_own_count_is_taken() -> None:
    def look(at: float, total: float) -> Sample:
        return sample(at, gateway={}, served={IRIS: {"a": Served(Traffic(total, 1.0)), "b": Served(Traffic(5.0, 1.0))}})

    found = only(look(0.0, 10.0), look(2.0, 40.0))
    assert (found.rate, found.active) == (15.0, 2)


def test_what_nobody_says_is_not_known() -> None:
    found = only(Sample(0.0), sample(1.0, gateway={}))
    assert (found.rate, found.mean, found.p50, found.p99, found.active, found.cpu) == (None,) * 6


@pytest.mark.parametrize(
    ("counts", "p50", "p99"),
    [
        (histogram(100, 0, 0), Quantile(0.005, at_most=True), Quantile(0.005, at_most=True)),
        (histogram(50, 50, 0), Quantile(0.005, at_most=True), Quantile(0.0099)),
        (histogram(0, 100, 0), Quantile(0.0075), Quantile(0.00995)),
        (histogram(0, 10, 90), Quantile(0.01, over=True), Quantile(0.01, over=True)),
        (histogram(0, 0, 0), None, None),
        (Histogram(), None, None),
    ],
)
def test_quantiles_are_read_off_the_histogram(counts: Histogram, p50: Quantile | None, p99: Quantile | None) -> None:
    found = [quantile(counts, 0.5), quantile(counts, 0.99)]
    rounded = [one and Quantile(round(one.seconds, 6), one.at_most, one.over) for one in found]
    assert rounded == [p50, p99]


def test_latency_is_that_of_the_requests_between_the_looks_whoever_answered_them() -> None:
    before = sample(0.0, served={IRIS: {"old": Served(latency=histogram(100, 0, 0, 0.1))}})
    after = sample(
        1.0,
        served={
            IRIS: {
                "old": Served(latency=histogram(100, 10, 0, 0.18)),
                "new": Served(latency=histogram(0, 10, 0, 0.08)),
            }
        },
    )
    found = only(before, after)
    assert found.p50 == Quantile(0.0075)
    assert found.mean == pytest.approx(0.008)


def test_a_server_that_was_restarted_begins_anew() -> None:
    assert histogram(5, 0, 0, 0.5).since(histogram(100, 0, 0, 9.0)) == histogram(5, 0, 0, 0.5)


def test_the_counters_of_both_protocols_of_a_service_are_one() -> None:
    assert gateway_traffic(ENVOY) == {("default", "iris-predictor"): Traffic(111.0, 2.0)}


def test_a_model_servers_metrics_are_added_up() -> None:
    found = served(METRICS)
    assert found.traffic == Traffic(100.0, 3.0)
    assert found.latency == Histogram({0.005: 90.0, 0.01: 100.0, inf: 100.0}, 0.25)


ROW = Row(IRIS, 3, 2, 1234.5, 0.00031, Quantile(0.005, at_most=True), Quantile(1.5), 7, 0.1234, 50 * (1 << 20))


def test_the_table_reads_like_kubectl_top() -> None:
    unknown = Row(Name("ml", "digits", "transformer"), 1, 0, None, None, None, None, None, None, None)
    assert [
        line.split("   ") for line in (" ".join(one.split()) for one in table([ROW, unknown], namespaces=True))
    ] == [
        ["NAMESPACE NAME COMPONENT REPLICAS REQ/S MEAN P50 P99 IN FLIGHT CPU MEMORY"],
        ["default iris predictor 2/3 1,234 0.31 ms <5 ms 1.5 s 7 123m 50Mi"],
        ["ml digits transformer 0/1 - - - - - - -"],
    ]


def test_json_says_where_only_a_bound_is_known() -> None:
    assert document([ROW]) == {
        "components": [
            {
                "namespace": "default",
                "name": "iris",
                "component": "predictor",
                "replicas": {"ready": 2, "wanted": 3},
                "requestsPerSecond": 1234.5,
                "latencyMs": {"mean": 0.31, "p50": 5.0, "p50Bound": "atMost", "p99": 1500.0},
                "inFlight": 7,
                "cpu": 0.1234,
                "memory": 50 * (1 << 20),
            }
        ]
    }
