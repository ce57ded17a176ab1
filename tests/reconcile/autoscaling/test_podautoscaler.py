"""The life of a revision's pods: load over made-up time in, replicas, Services and conditions out."""

from tests.reconcile.autoscaling.world import KEY, REV, World, world

from inferplane.client.kubernetes.kinds import (
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    POD_AUTOSCALER,
    SERVERLESS_SERVICE,
    SERVICE,
)
from inferplane.kernel.json import JsonObject, object_at


async def at_zero(one: World, **annotations: str) -> None:
    """A revision whose last request was long ago."""
    await one.configured(target_burst_capacity="0")
    await one.revision(**annotations)
    await one.passes(3, load=1)
    await one.passes(100)
    assert one.replicas == 0


async def test_a_new_revision_becomes_active_and_its_pods_are_reached_directly() -> None:
    async with world() as one:
        await one.configured(target_burst_capacity="0")
        await one.revision()
        await one.passes(4, load=1)
        assert one.condition("Ready") == one.condition("Active") == one.condition("ScaleTargetInitialized") == "True"
        assert one.condition("Ready", SERVERLESS_SERVICE) == "True"
        assert (one.leads_to, one.addresses) == ("pods", ["127.0.1.1"])
        status = one.status()
        assert (status["serviceName"], status["metricsServiceName"]) == (REV, f"{REV}-private")
        assert (status["desiredScale"], status["actualScale"]) == (1, 1)


async def test_a_revision_without_pods_is_queued_and_led_to_the_activator() -> None:
    async with world() as one:
        one.startup = 1000
        await one.configured(target_burst_capacity="0")
        await one.revision()
        await one.passes(2)
        assert (one.condition("Active"), one.condition("Ready")) == ("Unknown Queued", "Unknown Queued")
        assert (one.leads_to, one.addresses) == ("activator", ["127.0.0.1"])


async def test_load_past_the_target_brings_pods_in_panic_and_quiet_takes_them_slowly() -> None:
    async with world() as one:
        await one.configured(target_burst_capacity="0")
        await one.revision(target="10", target_utilization_percentage="100")
        await one.passes(60, load=10)
        await one.passes(12, load=75)
        assert one.replicas == 8
        await one.passes(30, load=5)
        assert one.replicas == 8, "what a surge brought is held for a stable window"
        await one.passes(120, load=5)
        assert one.replicas == 1
        assert one.scales[-4:] == [8, 4, 2, 1]


async def test_after_the_stable_window_the_activator_takes_over_and_only_then_the_last_pod_goes() -> None:
    async with world() as one:
        await one.configured(target_burst_capacity="0")
        await one.revision()
        await one.passes(10, load=1)
        await one.passes(58)
        assert (one.replicas, one.leads_to) == (1, "pods")
        await one.passes(6)
        assert (one.replicas, one.leads_to, one.condition("Active")) == (1, "activator", "False NoTraffic")
        assert one.addresses == ["127.0.0.1"]
        await one.passes(24)
        assert one.replicas == 1, "the grace period"
        await one.passes(10)
        assert (one.replicas, one.status()["actualScale"], one.status()["desiredScale"]) == (0, 0, 0)


async def test_a_short_grace_period_still_waits_until_every_gateway_has_heard() -> None:
    async with world() as one:
        await one.configured(target_burst_capacity="0", scale_to_zero_grace_period="1ms")
        await one.revision(window="6s")
        await one.passes(10, load=1)
        proxied_at = 0.0
        while one.replicas:
            await one.passes(1)
            if one.leads_to == "activator" and not proxied_at:
                proxied_at = one.clock.monotonic()
        assert proxied_at
        assert one.clock.monotonic() - proxied_at >= 1.0


async def test_the_last_pod_goes_when_the_gateway_has_acknowledged_the_way_to_the_activator_and_not_before() -> None:
    acknowledged = False
    async with world(told=lambda _: acknowledged) as one:
        await one.configured(target_burst_capacity="0", scale_to_zero_grace_period="1ms")
        await one.revision(window="6s")
        await one.passes(10, load=1)
        await one.passes(60)
        assert (one.replicas, one.leads_to) == (1, "activator")
        acknowledged = True
        await one.passes(1)
        assert one.replicas == 0


async def test_without_an_activator_the_last_pod_stays() -> None:
    async with world(activator=False) as one:
        await one.configured(target_burst_capacity="0")
        await one.revision()
        await one.passes(3, load=1)
        await one.passes(200)
        assert (one.replicas, one.leads_to) == (1, "pods")


async def test_the_first_request_brings_a_pod_without_a_moment_passing() -> None:
    async with world() as one:
        await at_zero(one)
        before = one.clock.monotonic()
        await one.asks()
        assert (one.replicas, one.clock.monotonic()) == (1, before)
        await one.passes(2, load=1)
        assert (one.condition("Active"), one.leads_to) == ("True", "pods")


async def test_the_scale_is_the_first_thing_written_for_a_request_that_waits() -> None:
    async with world() as one:
        await at_zero(one)
        one.api.writes.clear()
        await one.asks()
        first = one.api.writes[0]
        assert (first.resource, first.subresource, first.body) == (DEPLOYMENT, "scale", {"spec": {"replicas": 1}})


async def test_a_revision_at_zero_is_left_in_peace() -> None:
    async with world() as one:
        await at_zero(one)
        one.api.writes.clear()
        await one.passes(300)
        assert one.api.writes == []


async def test_a_quiet_revision_that_keeps_a_pod_costs_no_decisions_and_wakes_as_if_it_had_been_watched() -> None:
    async with world() as one:
        await one.configured(target_burst_capacity="0")
        await one.revision(min_scale="1", target="10", target_utilization_percentage="100")
        await one.passes(5, load=1)
        await one.passes(401)
        assert one.pas.autoscaler.awake == 0
        await one.passes(2, load=90)
        # 90 in flight for two of sixty seconds is 3; over the panic window of six seconds it is 30.
        assert one.replicas == 3


async def test_min_and_max_scale_bound_what_is_wanted() -> None:
    async with world() as one:
        await one.configured(target_burst_capacity="0")
        await one.revision(min_scale="2", max_scale="3", target="1")
        await one.passes(4, load=0.1)
        assert one.replicas == 2
        await one.passes(20, load=50)
        assert one.replicas == 3
        await one.passes(300)
        assert (one.replicas, one.condition("Active")) == (2, "True")


async def test_initial_scale_is_reached_before_the_revision_counts_as_initialized() -> None:
    async with world() as one:
        one.startup = 3
        await one.configured(target_burst_capacity="0")
        await one.revision(3, initial_scale="3")
        assert one.condition("ScaleTargetInitialized") == "Unknown"
        await one.passes(4, load=1)
        assert (one.condition("ScaleTargetInitialized"), one.scales) == ("True", [0, 3, 1])


async def test_pods_that_never_become_ready_are_given_up_after_the_progress_deadline() -> None:
    async with world() as one:
        one.startup = 1e6
        await one.configured(target_burst_capacity="0")
        await one.revision()
        await one.passes(140)
        assert (one.replicas, one.condition("Active")) == (1, "Unknown Queued")
        await one.passes(20)
        assert (one.replicas, one.condition("Active")) == (0, "False NoTraffic")
        assert any("TimedOut" in str(write.body) for write in one.api.writes), "said once, as Knative does"


async def test_an_unreachable_revision_goes_as_soon_as_it_may() -> None:
    async with world() as one:
        await one.configured(target_burst_capacity="0")
        await one.revision(min_scale="2")
        await one.passes(4, load=1)
        pa = one.peek(POD_AUTOSCALER)
        one.api.add(POD_AUTOSCALER, pa | {"spec": {**object_at(pa, "spec"), "reachability": "Unreachable"}})
        await one.passes(110)
        assert one.replicas == 0


async def test_the_configuration_is_read_live_and_a_bad_one_changes_nothing() -> None:
    async with world() as one:
        await one.configured(target_burst_capacity="0", max_scale="2")
        await one.revision(target="1", target_utilization_percentage="100")
        await one.passes(20, load=5)
        assert one.replicas == 2
        await one.configured(target_burst_capacity="0", max_scale="-4")
        await one.passes(2, load=5)
        assert (one.replicas, "InvalidConfiguration" in one.events()) == (2, True)
        await one.configured(target_burst_capacity="0", max_scale="4")
        assert one.replicas == 4


async def test_a_burst_capacity_keeps_the_activator_in_the_path_until_pods_suffice() -> None:
    async with world() as one:
        await one.configured(target_burst_capacity="211")
        await one.revision(min_scale="3")
        await one.passes(4, load=1)
        assert (one.replicas, one.leads_to) == (3, "pods"), "3 pods take 100 each, which is 211 more than 1"
        await one.passes(10, load=150)
        assert (one.replicas, one.leads_to) == (3, "activator")


async def test_a_hard_limit_is_kept_by_the_activator_which_stays_in_the_path() -> None:
    async with world() as one:
        await one.configured(target_burst_capacity="0")
        await one.revision(1, 1)
        await one.passes(10, load=3)
        assert (one.replicas, one.leads_to) == (5, "activator")


async def test_after_a_restart_a_revision_at_zero_stays_there_and_still_wakes_at_once() -> None:
    async with world() as one:
        await at_zero(one)
        one.pas.autoscaler.drop(KEY)
        one.pas.controller.enqueue(KEY)
        await one.passes(6)
        assert (one.replicas, one.leads_to, one.status()["desiredScale"]) == (0, "activator", 0)
        await one.asks()
        assert one.replicas == 1


async def test_somebody_who_scales_by_hand_is_set_right() -> None:
    async with world() as one:
        await one.configured(target_burst_capacity="0")
        await one.revision()
        await one.passes(4, load=1)
        await one.api.patch(DEPLOYMENT, f"{REV}-deployment", {"spec": {"replicas": 9}}, "default")
        await one.rests()
        assert one.replicas == 1


async def test_a_service_of_somebody_else_is_not_taken() -> None:
    async with world() as one:
        port: JsonObject = {"port": 80}
        one.api.add(SERVICE, {"metadata": {"name": REV}, "spec": {"ports": [port]}})
        await one.configured(target_burst_capacity="0")
        await one.revision()
        await one.passes(2)
        assert one.condition("Ready", SERVERLESS_SERVICE) == "False NotOwned"
        assert one.condition("SKSReady") == "Unknown NotReady"


async def test_a_serverless_service_of_somebody_else_is_not_taken() -> None:
    async with world() as one:
        ref: JsonObject = {"kind": "Deployment", "name": "other"}
        one.api.add(
            SERVERLESS_SERVICE, {"metadata": {"name": REV}, "spec": {"objectRef": ref, "protocolType": "http1"}}
        )
        await one.revision()
        assert (one.condition("Active"), one.condition("Ready")) == ("False NotOwned", "False NotOwned")


async def test_nothing_is_written_twice() -> None:
    async with world() as one:
        await one.configured(target_burst_capacity="0")
        await one.revision()
        await one.passes(4, load=1)
        one.api.writes.clear()
        await one.passes(30, load=1)
        assert one.api.writes == []


async def test_the_class_hpa_has_an_autoscaler_of_kubernetes_and_never_the_activator() -> None:
    async with world() as one:
        await one.revision(
            **{
                "class": "hpa.autoscaling.knative.dev",
                "target": "75",
                "min_scale": "2",
                "max_scale": "5",
                "window": "30s",
            }
        )
        spec = object_at(one.peek(HORIZONTAL_POD_AUTOSCALER), "spec")
        assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 5)
        target: JsonObject = {"type": "Utilization", "averageUtilization": 75}
        assert spec["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
        assert object_at(spec, "behavior", "scaleUp") == {"stabilizationWindowSeconds": 30}
        assert (one.leads_to, one.condition("Active")) == ("pods", "True")
        hpa = one.peek(HORIZONTAL_POD_AUTOSCALER) | {"status": {"desiredReplicas": 4, "currentReplicas": 3}}
        one.api.add(HORIZONTAL_POD_AUTOSCALER, hpa)
        await one.rests()
        assert (one.status()["desiredScale"], one.status()["actualScale"]) == (4, 3)
        assert one.condition("ScaleTargetInitialized") == "True"
