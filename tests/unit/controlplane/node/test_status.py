from itertools import pairwise

from inferplane.controlplane.node.decide import Decision, decide
from inferplane.controlplane.node.observed import Containers, Problem, Seen
from inferplane.controlplane.node.procfs import Identity
from inferplane.controlplane.node.runs import Exit, Run
from inferplane.controlplane.node.status import Place, is_news, phase, render
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.core import Container, Pod, PodReadinessGate, PodSpec
from inferplane.resources.meta import ObjectMeta

FETCH, SERVE = Container(name="fetch", image="f"), Container(name="serve", image="s")
PLACE = Place("127.7.0.9", "127.7.0.1", since=1767225600.0)  # 2026-01-01T00:00:00Z
NOON = 1767268800.0


def pod(policy: str = "Always", gates: list[PodReadinessGate] | None = None) -> Pod:
    return Pod(
        metadata=ObjectMeta(name="iris", namespace="ml", uid="u1"),
        spec=PodSpec(containers=[SERVE], init_containers=[FETCH], restart_policy=policy, readiness_gates=gates or []),
    )


def run(attempt: int = 0, *, end: Exit | None = None) -> Run:
    return Run(attempt=attempt, process=Identity(1, 1, ""), keeper="plain", started_at=NOON, exit=end)


OK, BAD = Exit(code=0, at=NOON + 1), Exit(code=3, at=NOON + 1, message="out of cheese")
FETCHED = Seen(run=run(end=OK))


def rendered(
    seen: Containers, spec: Pod | None = None, before: JsonObject | None = None, now: float = NOON
) -> JsonObject:
    spec = spec or pod()
    return render(spec, seen, decide(spec, seen, now), PLACE, before or {}, now)


def conditions(status: JsonObject) -> dict[str, JsonObject]:
    found = [one for one in list_at(status, "conditions") if isinstance(one, dict)]
    return {text_at(one, "type"): one for one in found}


def first(status: JsonObject, which: str = "containerStatuses") -> JsonObject:
    one: Json = list_at(status, which)[0]
    assert isinstance(one, dict)
    return one


def test_how_far_an_init_container_has_come_is_part_of_the_condition() -> None:
    status = rendered({"fetch": Seen(run=run(), progress="fetching s3://b/m: 41 % of 2.9 GiB")})
    assert conditions(status)["Initialized"]["message"] == (
        "containers with incomplete status: [fetch]: fetching s3://b/m: 41 % of 2.9 GiB"
    )


def test_a_new_pod_is_pending_with_its_containers_waiting_for_the_init_container() -> None:
    status = rendered({})
    assert (status["phase"], status["podIP"], status["startTime"]) == ("Pending", "127.7.0.9", "2026-01-01T00:00:00Z")
    assert first(status)["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert first(status, "initContainerStatuses")["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert conditions(status)["Initialized"] == {
        "type": "Initialized",
        "status": "False",
        "reason": "ContainersNotInitialized",
        "message": "containers with incomplete status: [fetch]",
        "lastTransitionTime": "2026-01-01T12:00:00Z",
    }


def test_a_running_pod_is_ready_and_names_its_container() -> None:
    status = rendered({"fetch": FETCHED, "serve": Seen(run=run(2))})
    one = first(status)
    assert (status["phase"], one["ready"], one["restartCount"]) == ("Running", True, 2)
    assert one["containerID"] == "inferplane://u1/serve/2"
    assert one["state"] == {"running": {"startedAt": "2026-01-01T12:00:00Z"}}
    assert {name: one["status"] for name, one in conditions(status).items()} == {
        "Initialized": "True",
        "ContainersReady": "True",
        "Ready": "True",
        "PodScheduled": "True",
    }
    assert object_at(first(status, "initContainerStatuses"), "state", "terminated")["reason"] == "Completed"


def test_transition_times_stay_while_a_condition_stays() -> None:
    seen = {"fetch": FETCHED, "serve": Seen(run=run())}
    earlier = rendered(seen)
    later = rendered(seen, before=earlier, now=NOON + 60)
    assert later == earlier
    broken = rendered({"fetch": FETCHED, "serve": Seen(run=run(end=BAD))}, before=earlier, now=NOON + 60)
    assert conditions(broken)["Ready"]["lastTransitionTime"] == "2026-01-01T12:01:00Z"
    assert conditions(broken)["Initialized"] == conditions(earlier)["Initialized"]


def test_a_crash_loop_shows_the_wait_and_the_last_exit_with_its_message() -> None:
    crashed = Run(attempt=1, process=None, keeper="plain", started_at=NOON, failures=1, exit=BAD)
    one = first(rendered({"fetch": FETCHED, "serve": Seen(run=crashed)}, now=NOON + 2))
    assert object_at(one, "state", "waiting")["reason"] == "CrashLoopBackOff"
    last = object_at(one, "lastState", "terminated")
    assert (last["exitCode"], last["reason"], last["message"]) == (3, "Error", "out of cheese")
    assert one["ready"] is False


def test_a_kill_shows_its_signal() -> None:
    killed = Seen(run=run(end=Exit(code=137, signal=9, at=NOON)))
    state = object_at(first(rendered({"fetch": FETCHED, "serve": killed}, pod("Never"))), "state", "terminated")
    assert (state["exitCode"], state["signal"], state["reason"]) == (137, 9, "Error")


def test_a_problem_is_the_waiting_state() -> None:
    stuck = Seen(problem=Problem("ImageNotRunnable", "give a command", retry_at=NOON + 5))
    status = rendered({"fetch": FETCHED, "serve": stuck})
    assert first(status)["state"] == {"waiting": {"reason": "ImageNotRunnable", "message": "give a command"}}
    assert status["phase"] == "Pending"


def test_after_a_restart_the_former_run_is_the_last_state() -> None:
    one = first(rendered({"fetch": FETCHED, "serve": Seen(run=run(1), previous=run(end=BAD))}))
    assert object_at(one, "lastState", "terminated")["exitCode"] == 3


def test_phases_follow_the_restart_policy() -> None:
    failed, done = Seen(run=run(end=BAD)), Seen(run=run(end=OK))
    assert phase(pod("Always"), {"fetch": FETCHED, "serve": failed}) == "Running"
    assert phase(pod("OnFailure"), {"fetch": FETCHED, "serve": done}) == "Succeeded"
    assert phase(pod("Never"), {"fetch": FETCHED, "serve": failed}) == "Failed"
    assert phase(pod("Never"), {"fetch": failed}) == "Failed"
    assert phase(pod("Always"), {"fetch": failed}) == "Pending"


def test_a_readiness_gate_keeps_a_ready_pod_unready() -> None:
    gated = pod(gates=[PodReadinessGate(condition_type="example.com/open")])
    found = conditions(render(gated, {"fetch": FETCHED, "serve": Seen(run=run())}, Decision(), PLACE, {}, NOON))
    assert (found["ContainersReady"]["status"], found["Ready"]["reason"]) == ("True", "ReadinessGatesNotReady")


def test_readiness_ends_and_reasons_to_wait_are_news_and_steps_on_the_way_are_not() -> None:
    steps = [
        {},
        {"fetch": Seen(run=run())},
        {"fetch": FETCHED},
        {"fetch": FETCHED, "serve": Seen(run=run(), terminated_at=1.0)},
        {"fetch": FETCHED, "serve": Seen(run=run())},
        {"fetch": FETCHED, "serve": Seen(run=run(end=BAD))},
        {"fetch": FETCHED, "serve": Seen(problem=Problem("ImageNotRunnable", "", retry_at=NOON + 9))},
    ]
    statuses = [render(pod(), seen, Decision(), PLACE, {}, NOON) for seen in steps]
    assert [is_news(after, before) for before, after in pairwise([{}, *statuses])] == [
        False,
        False,
        False,
        False,
        True,
        True,
        True,
    ]
