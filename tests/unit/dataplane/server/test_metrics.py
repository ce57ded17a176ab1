from inferplane.dataplane.server.cells import private
from inferplane.dataplane.server.metrics import BATCHES, LARGEST_BATCH, LAST, Metrics


def test_workers_runs_add_up_and_the_latest_is_the_last() -> None:
    regions = (private(), private())
    one, other = (Metrics(region, regions) for region in regions)
    one.of_model("m").ran(2, 0.0, 0.5, 0.0)
    early = other.totals()[LAST, ("m",)]
    other.of_model("m").ran(2, 0.0, 0.25, 0.0)
    assert one.totals()[BATCHES, ("m", "2")] == [2.0, 0.0, 0.75, 0.0]
    assert early <= one.totals()[LAST, ("m",)] < [2 * early[0]]


def test_sizes_that_only_a_client_can_think_of_take_no_place() -> None:
    metrics = Metrics()
    for rows in (LARGEST_BATCH, LARGEST_BATCH + 1):
        metrics.of_model("m").ran(rows, 0.0, 0.0, 0.0)
    assert [labels for family, labels in metrics.totals() if family == BATCHES] == [("m", str(LARGEST_BATCH))]
