"""A Service from its first revision to answers, and what changes with it."""

from tests.reconcile.knative.world import FIRST, knative, service

from inferplane.client.kubernetes.kinds import (
    KNATIVE_REVISION,
)


async def test_a_service_becomes_ready_when_its_revision_runs_and_the_gateway_leads_to_it() -> None:
    async with knative() as world:
        await world.applied(service())
        assert world.conditions() == {
            "ConfigurationsReady": "Unknown",
            "Ready": "Unknown",
            "RoutesReady": "Unknown RevisionMissing",
        }
        assert world.conditions(KNATIVE_REVISION, FIRST)["Ready"] == "Unknown Deploying"

        await world.is_ready(FIRST)
        assert world.condition("ConfigurationsReady") == "True"
        assert world.condition("RoutesReady") == "Unknown IngressNotConfigured"
        await world.is_served()

        assert set(world.conditions().values()) == {"True"}
        assert world.status()["url"] == "http://hello.default.localhost:8080"
        assert world.status()["address"] == {"url": "http://hello.default.svc.cluster.local"}
        assert world.status()["latestReadyRevisionName"] == FIRST
        assert world.traffic() == [(FIRST, 100, "")]
