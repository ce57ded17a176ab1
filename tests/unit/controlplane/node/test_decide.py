import pytest

from inferplane.controlplane.node.decide import (
    NODE_SHUTDOWN,
    Kill,
    Remove,
    Start,
    Terminate,
    decide,
    failures,
    initialized,
    restart_delay,
)
from inferplane.controlplane.node.observed import Health, Problem, Seen, ready, started
from inferplane.controlplane.node.procfs import Identity
from inferplane.controlplane.node.runs import Exit, Run
from inferplane.resources.core import Container, Pod, PodSpec, Probe
from inferplane.resources.meta import ObjectMeta

FETCH, SERVE = Container(name="fetch"), Container(name="serve")


def pod(policy: str = "Always", *, init: Container | None = FETCH, serve: Container = SERVE) -> Pod:
    inits = [init] if init is not None else []
    return Pod(spec=PodSpec(containers=[serve], init_containers=inits, restart_policy=policy))


def deleted(grace: int | None = None, *containers: Container, init: Container | None = None) -> Pod:
    return Pod(
        metadata=ObjectMeta(deletion_timestamp="2026-01-01T00:00:00Z", deletion_grace_period_seconds=grace),
        spec=PodSpec(containers=[*containers] or [SERVE], init_containers=[init] if init else []),
    )


def run(
    *,
    attempt: int = 0,
    at: float = 0.0,
    ready_at: float = 0.0,
    ended: float | None = None,
    code: int = 0,
    failures: int = 0,
    announces: bool = False,
    reason: str = "",
) -> Run:
    return Run(
        attempt=attempt,
        process=Identity(1, 1, ""),
        keeper="plain",
        started_at=at,
        announces=announces,
        ready_at=ready_at,
        failures=failures,
        exit=None if ended is None else Exit(code=code, at=ended, reason=reason),
    )


DONE = Seen(run=run(ended=1.0))


def test_containers_wait_for_the_init_container_to_succeed() -> None:
    first = decide(pod(), {}, 0.0)
    busy = decide(pod(), {"fetch": Seen(run=run())}, 1.0)
    after = decide(pod(), {"fetch": DONE}, 1.0)
    assert [one.actions for one in (first, busy, after)] == [[Start(FETCH, 0)], [], [Start(SERVE, 0)]]


def test_a_start_under_way_is_not_started_twice() -> None:
    assert decide(pod(), {"fetch": Seen(launching=True)}, 0.0).actions == []


def test_an_init_container_is_not_run_again_when_a_container_restarts() -> None:
    crashed = {"fetch": DONE, "serve": Seen(run=run(ended=5.0, code=1))}
    assert decide(pod(), crashed, 5.0).actions == [Start(SERVE, 1, 1)]


def test_a_sidecar_lets_the_others_start_once_it_has_started_and_is_itself_restarted() -> None:
    agent = Container(name="fetch", restart_policy="Always", startup_probe=Probe())
    starting, up = Seen(run=run()), Seen(run=run(), health=Health(startup=True))
    spec = pod("Never", init=agent)
    assert decide(spec, {"fetch": starting}, 0.0).actions == []
    assert decide(spec, {"fetch": up}, 0.0).actions == [Start(SERVE, 0)]
    again = {"fetch": Seen(run=run(ended=1.0, code=1, attempt=1)), "serve": Seen(run=run())}
    assert decide(spec, again, 1.0).actions == [Start(agent, 2, 1)]


def test_a_sidecar_that_crashed_is_no_reason_to_leave_the_others_alone() -> None:
    agent = Container(name="fetch", restart_policy="Always")
    both_down = {"fetch": Seen(run=run(ended=1.0, code=1)), "serve": Seen(run=run(ended=1.0, code=1))}
    assert decide(pod(init=agent), both_down, 1.0).actions == [Start(agent, 1, 1), Start(SERVE, 1, 1)]
    assert initialized(pod(init=agent), both_down)


def test_the_first_crash_is_answered_at_once_and_later_ones_after_10_20_40_up_to_300_seconds() -> None:
    delays = [restart_delay(run(ended=1.0, code=1, failures=before)) for before in range(8)]
    assert delays == [0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]


def test_a_restart_waits_for_its_back_off_and_says_when_to_look_again() -> None:
    crashed = {"serve": Seen(run=run(attempt=1, at=99.0, ended=100.0, code=1, failures=1))}
    waiting = decide(pod(init=None), crashed, 104.0)
    due = decide(pod(init=None), crashed, 110.0)
    assert (waiting.actions, waiting.wake_at, waiting.backing_off) == ([], 110.0, {"serve": 10.0})
    assert due.actions == [Start(SERVE, 2, 2)]


def test_ten_minutes_of_life_make_earlier_failures_forgotten() -> None:
    assert failures(run(at=0.0, ended=599.0, code=1, failures=4)) == 5
    assert failures(run(at=0.0, ended=600.0, code=1, failures=4)) == 1


def test_a_run_that_served_is_replaced_at_once_but_not_more_often_than_every_ten_seconds() -> None:
    assert restart_delay(run(at=0.0, ready_at=1.0, ended=11.0, code=137, failures=3)) == 0.0
    assert restart_delay(run(at=0.0, ready_at=1.0, ended=10.9, code=137, failures=3)) == 40.0


def test_a_shutdown_of_the_node_is_no_failure_of_the_container() -> None:
    ended = run(ended=1.0, code=143, failures=0, reason=NODE_SHUTDOWN)
    assert (failures(ended), restart_delay(ended)) == (0, 0.0)


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [("Always", 0, True), ("Always", 1, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 1, False)],
)
def test_the_restart_policy_says_whether_an_ended_container_starts_again(policy: str, code: int, again: bool) -> None:
    seen = {"serve": Seen(run=run(ended=1.0, code=code))}
    assert decide(pod(policy, init=None), seen, 2.0).actions == ([Start(SERVE, 1, 1)] if again else [])


def test_a_problem_is_tried_again_when_its_time_has_come() -> None:
    stuck = {"serve": Seen(problem=Problem("ImageNotRunnable", "no", retry_at=5.0))}
    assert (decide(pod(init=None), stuck, 4.0).actions, decide(pod(init=None), stuck, 4.0).wake_at) == ([], 5.0)
    assert decide(pod(init=None), stuck, 5.0).actions == [Start(SERVE, 0)]


def test_a_container_that_a_probe_gave_up_on_gets_sigterm_then_its_grace_then_sigkill() -> None:
    spec = pod(init=None, serve=Container(name="serve", liveness_probe=Probe(termination_grace_period_seconds=3)))
    sick = Seen(run=run(), health=Health(unhealthy="it failed"))
    dying = Seen(run=run(), health=Health(unhealthy="it failed"), terminated_at=100.0)
    container = spec.spec.containers[0]
    assert decide(spec, {"serve": sick}, 100.0).actions == [Terminate(container, "it failed")]
    assert (decide(spec, {"serve": dying}, 102.9).actions, decide(spec, {"serve": dying}, 102.9).wake_at) == ([], 103.0)
    assert decide(spec, {"serve": dying}, 103.0).actions == [Kill(container)]


def test_a_run_that_never_announces_itself_is_given_its_startup_probes_time() -> None:
    slow = Container(name="serve", startup_probe=Probe(initial_delay_seconds=5, period_seconds=2, failure_threshold=10))
    silent = {"serve": Seen(run=run(at=100.0, announces=True))}
    spec = pod(init=None, serve=slow)
    assert (decide(spec, silent, 124.0).actions, decide(spec, silent, 124.0).wake_at) == ([], 125.0)
    (action,) = decide(spec, silent, 125.0).actions
    assert isinstance(action, Terminate)
    loud = {"serve": Seen(run=run(at=100.0, announces=True, ready_at=101.0))}
    assert decide(spec, loud, 999.0).actions == []


def test_a_deleted_pod_is_terminated_killed_after_its_grace_and_removed_when_all_has_ended() -> None:
    alive, dying = Seen(run=run()), Seen(run=run(), terminated_at=100.0)
    assert decide(deleted(7), {"serve": alive}, 100.0).actions == [Terminate(SERVE, "Stopping container")]
    assert decide(deleted(7), {"serve": dying}, 106.0).wake_at == 107.0
    assert decide(deleted(7), {"serve": dying}, 107.0).actions == [Kill(SERVE)]
    assert decide(deleted(7), {"serve": DONE}, 107.0).actions == [Remove()]
    assert decide(deleted(0), {"serve": dying}, 100.0).actions == [Kill(SERVE)]


def test_sidecars_end_after_the_containers() -> None:
    agent = Container(name="agent", restart_policy="Always")
    both = {"serve": Seen(run=run()), "agent": Seen(run=run())}
    alone = {"serve": DONE, "agent": Seen(run=run())}
    assert decide(deleted(9, SERVE, init=agent), both, 0.0).actions == [Terminate(SERVE, "Stopping container")]
    assert decide(deleted(9, SERVE, init=agent), alone, 0.0).actions == [Terminate(agent, "Stopping container")]


def test_a_deleted_pod_waits_for_a_start_that_is_under_way() -> None:
    assert decide(deleted(), {"serve": Seen(launching=True)}, 0.0).actions == []


def test_a_node_that_ends_stops_pods_that_are_not_deleted() -> None:
    assert decide(pod(), {"fetch": DONE, "serve": Seen(run=run())}, 0.0, stopping=True).actions == [
        Terminate(SERVE, "Stopping container")
    ]


def test_an_announcement_makes_a_run_started_and_ready_until_its_probe_says_otherwise() -> None:
    probed = Container(name="serve", startup_probe=Probe(), readiness_probe=Probe())
    silent, loud = run(announces=True), run(announces=True, ready_at=1.0)
    assert (started(probed, Seen(run=silent)), ready(probed, Seen(run=silent))) == (False, False)
    assert (started(probed, Seen(run=loud)), ready(probed, Seen(run=loud))) == (True, True)
    assert not ready(probed, Seen(run=loud, health=Health(readiness=False)))


def test_a_foreign_run_is_ready_only_when_its_readiness_probe_has_passed() -> None:
    probed = Container(name="serve", readiness_probe=Probe())
    assert started(probed, Seen(run=run()))
    assert not ready(probed, Seen(run=run()))
    assert ready(probed, Seen(run=run(), health=Health(readiness=True)))
    assert ready(SERVE, Seen(run=run()))


def test_a_run_that_is_being_ended_is_not_ready() -> None:
    assert not ready(SERVE, Seen(run=run(), terminated_at=1.0))


def test_a_failed_init_container_leaves_the_pod_uninitialized() -> None:
    assert not initialized(pod(), {"fetch": Seen(run=run(ended=1.0, code=1))})
    assert initialized(pod(), {"fetch": DONE})
