"""What the soak concludes from figures: whether memory grew, and what Envoy has."""

import pytest
from bench.envoy_config import names
from bench.over_time import Trend, trends


@pytest.mark.parametrize(
    ("first", "last", "flat"),
    [(100, 100, True), (100, 114, True), (100, 116, False), (20, 27, True), (20, 29, False), (100, 50, True)],
)
def test_memory_has_grown_past_a_share_and_a_spread(first: float, last: float, flat: bool) -> None:
    assert Trend(first, last).flat is flat


def test_thirds_are_compared_by_their_medians_and_of_processes_that_were_in_both() -> None:
    samples = [{"node": 10.0}, {"node": 90.0}, {"node": 12.0}, {"late": 1.0}, {}, {"node": 99.0}]
    samples += [{"node": 20.0, "late": 1.0}, {"node": 22.0}, {"node": 1.0}]
    assert trends(samples) == {"node": Trend(12.0, 20.0)}


def test_names_are_found_wherever_the_dump_has_them() -> None:
    hosts = {"virtual_hosts": [{"name": "a", "domains": ["a.localhost", "a.localhost:8080"]}, {"domains": ["b"]}]}
    dump = {
        "configs": [
            {"dynamic_active_clusters": [{"cluster": {"name": "default/a:80"}}, {"cluster": {"name": "default/b:80"}}]},
            {"static_clusters": [{"cluster": {"name": "xds"}}]},
            {"dynamic_route_configs": [{"route_config": {"name": "r", **hosts}}]},
        ]
    }
    found = names(dump)
    assert found.hosts == {"a.localhost", "a.localhost:8080", "b"}
    assert found.clusters == {"default/a:80", "default/b:80"}
