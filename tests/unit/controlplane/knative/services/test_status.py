"""What a Service says of itself, by its Configuration and Route."""

import pytest

from inferplane.controlplane.knative.services.status import Sight, next_status, of_configuration, of_route
from inferplane.resources.conditions import UNKNOWN, Verdict, failed
from inferplane.resources.knative import (
    Address,
    Configuration,
    ConfigurationStatus,
    KnativeService,
    Route,
    RouteStatus,
    TrafficTarget,
)
from inferplane.resources.knative.route import RouteSpec
from inferplane.resources.meta import Condition, ConditionStatus, ObjectMeta

NOW = "2026-01-01T00:00:00Z"
LATEST = TrafficTarget(configuration_name="hello", latest_revision=True, percent=100)
READY = [Condition(type="Ready", status=ConditionStatus.TRUE)]


def configuration(generation: int = 1, latest: str = "hello-00001") -> Configuration:
    status = ConfigurationStatus(
        observed_generation=1,
        conditions=READY,
        latest_ready_revision_name=latest,
        latest_created_revision_name=latest,
    )
    return Configuration(metadata=ObjectMeta(generation=generation), status=status)


def route(*served: TrafficTarget, generation: int = 1, wanted: TrafficTarget = LATEST) -> Route:
    status = RouteStatus(
        observed_generation=1, conditions=READY, url="http://h", address=Address(url="http://l"), traffic=[*served]
    )
    return Route(metadata=ObjectMeta(generation=generation), spec=RouteSpec(traffic=[wanted]), status=status)


def serving(name: str, percent: int = 100, tag: str = "") -> TrafficTarget:
    return TrafficTarget(revision_name=name, percent=percent, tag=tag, latest_revision=True, url="http://x")


def said(verdict: Verdict) -> str:
    return f"{verdict.status} {verdict.reason}".strip()


def test_a_child_that_has_not_seen_its_newest_spec_is_out_of_date() -> None:
    assert said(of_configuration(configuration(generation=2))) == "Unknown OutOfDate"
    assert said(of_route(route(generation=2), configuration())) == "Unknown OutOfDate"


@pytest.mark.parametrize(
    ("served", "says"),
    [
        ([serving("hello-00001")], "True"),
        ([serving("hello-00000")], "Unknown TrafficNotMigrated"),
        ([serving("hello-00001", 50)], "Unknown TrafficNotMigrated"),
        ([serving("hello-00001", tag="t")], "Unknown TrafficNotMigrated"),
        ([], "Unknown TrafficNotMigrated"),
    ],
)
def test_traffic_has_moved_when_the_route_serves_what_is_wanted(served: list[TrafficTarget], says: str) -> None:
    assert said(of_route(route(*served), configuration())) == says


def test_revisions_and_addresses_are_those_of_the_children() -> None:
    sight = Sight(configuration(), route(serving("hello-00001")), UNKNOWN, UNKNOWN)
    found = next_status(KnativeService(metadata=ObjectMeta(generation=3)), sight, NOW)
    assert found.observed_generation == 3
    assert (found.latest_ready_revision_name, found.url) == ("hello-00001", "http://h")
    assert found.traffic == [serving("hello-00001")]


def test_what_was_not_looked_at_stays_as_it_was() -> None:
    before = next_status(KnativeService(), Sight(configuration(), route(), failed("A", "a"), failed("B", "b")), NOW)
    after = next_status(KnativeService(status=before), Sight(configurations_ready=failed("C", "c")), NOW)
    assert {one.type: one.reason for one in after.conditions} == {
        "ConfigurationsReady": "C",
        "Ready": "C",
        "RoutesReady": "B",
    }
    assert after.url == "http://h"
