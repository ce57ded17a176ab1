"""The histogram of cold starts, as Prometheus reads it."""

from prometheus_client.parser import text_string_to_metric_families

from inferplane.controlplane.activator.measures import ColdStarts


def test_each_phase_of_a_cold_start_is_counted_in_seconds() -> None:
    starts = ColdStarts()
    starts.observe({"queue": 40.0, "load": 12.0})
    starts.observe({"queue": 60.0})
    families = {one.name: one for one in text_string_to_metric_families(starts.exposition().decode())}
    values = {
        (one.name.removeprefix("inferplane_cold_start_seconds"), one.labels["phase"]): one.value
        for one in families["inferplane_cold_start_seconds"].samples
        if one.name.endswith(("_count", "_sum"))
    }
    assert values == {
        ("_count", "queue"): 2.0,
        ("_sum", "queue"): 0.1,
        ("_count", "load"): 1.0,
        ("_sum", "load"): 0.012,
    }
