"""From facts to an explanation. Pure: the same facts give the same words.

A cause hides those that follow from it: a spec that fits no runtime has no pods, a pod that isn't ready has no
endpoint. So the stages are tried in order (platform, spec, pods, routes), and the first that has a cause is told; a
dead process of the platform is told in any case, since everything may follow from it.
"""

from dataclasses import dataclass
from difflib import get_close_matches

from inferplane.cli.why.causes import Cause, Kind
from inferplane.cli.why.facts import Facts, Node, Service
from inferplane.cli.why.model_causes import model_causes, model_notes
from inferplane.cli.why.pod_causes import last_failure, pod_causes
from inferplane.cli.why.reasons import meaning
from inferplane.cli.why.route_causes import route_cause
from inferplane.cli.why.scaling_causes import scaling_causes, scaling_notes
from inferplane.cli.why.spec_causes import spec_cause
from inferplane.cli.why.words import ago, plural
from inferplane.resources.meta import Condition, ConditionStatus, condition

REPEATED = 40
STOP_ANNOTATION = "serving.kserve.io/stop"
KNATIVE = "Knative"


@dataclass(frozen=True, slots=True)
class Explanation:
    """`headline` says how the service is; `causes` is empty when it is fine."""

    headline: str
    causes: tuple[Cause, ...] = ()
    log_pod: str = ""
    log_lines: tuple[str, ...] = ()
    next: str = ""
    notes: tuple[str, ...] = ()
    """More about a service that is fine."""

    @property
    def fine(self) -> bool:
        return not self.causes


def decide(facts: Facts) -> Explanation:
    service = facts.service
    if service is None:
        return _not_found(facts)
    causes = (*_processes(facts), *_stopped(service), *_why_not(facts, service))
    if not causes:
        causes = (*model_causes(facts), *scaling_causes(facts))
    if not causes:
        return Explanation(_fine(facts, service), notes=(*model_notes(facts), *scaling_notes(facts)))
    pod = next((one.pod for one in causes if one.pod), "")
    return Explanation(
        headline=_headline(facts, service, causes),
        causes=causes,
        log_pod=pod,
        log_lines=() if causes[0].kind is Kind.STARTING else _more_than_said(facts.log_tails.get(pod, ()), causes),
        next=_next(facts, causes),
    )


def _more_than_said(lines: tuple[str, ...], causes: tuple[Cause, ...]) -> tuple[str, ...]:
    """The log's last lines, or none when they only repeat the evidence (whose end is what a log line ends with)."""
    ends = [detail[-REPEATED:] for cause in causes for detail in cause.details]
    return () if all(any(line.endswith(end) for end in ends) for line in lines) else lines


def _not_found(facts: Facts) -> Explanation:
    wanted = f"{facts.namespace}/{facts.name}"
    same_name = [one for one in facts.other_services if one.endswith(f"/{facts.name}")]
    near = same_name or get_close_matches(wanted, facts.other_services, n=1)
    if near:
        namespace, _, name = near[0].partition("/")
        fix = f"did you mean {name} in namespace {namespace}?  inferplane why {name} -n {namespace}"
    else:
        fix = "apply one: inferplane apply -f FILE"
    there = ", ".join(facts.other_services)
    details = (f"there are: {there}",) if there else ("there is none yet",)
    summary = f"there is no inferenceservice/{facts.name} in namespace {facts.namespace}"
    return Explanation(summary, (Cause(Kind.NOT_FOUND, "", summary, details, fix),), next="inferplane get isvc -A")


def _processes(facts: Facts) -> tuple[Cause, ...]:
    dead = [one for one in facts.processes if not one.alive]
    return tuple(
        Cause(
            Kind.PROCESS_DOWN,
            one.name,
            f"its process (pid {one.pid}) is down",
            fix="inferplane up starts it again; its log is in  inferplane status  under home",
        )
        for one in dead
    )


def _stopped(service: Service) -> tuple[Cause, ...]:
    if service.metadata.deleting:
        return (Cause(Kind.DELETING, "service", "it is being deleted"),)
    if service.metadata.annotations.get(STOP_ANNOTATION) == "true":
        fix = f"remove the annotation  {STOP_ANNOTATION}"
        return (Cause(Kind.STOPPED, "service", "it has been stopped on purpose", (f"{STOP_ANNOTATION}: true",), fix),)
    return ()


def _why_not(facts: Facts, service: Service) -> tuple[Cause, ...]:
    if _stopped(service) or (_says_ready(service) and not _has_failed_change(service)):
        return ()
    spec = spec_cause(facts)
    if spec is not None:
        return (spec,)
    if _says_ready(service):
        return tuple(pod_causes(facts))
    return tuple(_nodes(facts) + (pod_causes(facts) or _without_pods(facts, service)))


def _says_ready(service: Service) -> bool:
    ready = condition(service.status.conditions, "Ready")
    return ready is not None and ready.status is ConditionStatus.TRUE


def _has_failed_change(service: Service) -> bool:
    """The version before still serves, but the one that was applied last does not."""
    return service.status.model_status.transition_status in {"BlockedByFailedLoad", "InvalidSpec"}


def _nodes(facts: Facts) -> list[Cause]:
    return [
        Cause(Kind.NODE_NOT_READY, f"node/{node.metadata.name}", "it does not report", (message,) if message else ())
        for node in facts.nodes
        if (message := _trouble(node)) is not None
    ]


def _trouble(node: Node) -> str | None:
    ready = condition(node.status.conditions, "Ready")
    return None if ready is None or ready.status is ConditionStatus.TRUE else ready.message


def _without_pods(facts: Facts, service: Service) -> list[Cause]:
    """Nothing is wrong with any pod: either none could be made, or the way to them is not there yet."""
    refused = [
        Cause(Kind.REPLICAS_REFUSED, "predictor", f"its pods could not be made ({one.reason})", (one.message,))
        for deployment in facts.deployments
        for one in deployment.status.conditions
        if one.type == "ReplicaFailure" and one.status is ConditionStatus.TRUE
    ]
    if refused:
        return refused
    if not facts.pods and not _sleeps(service):
        if (gone := last_failure(facts)) is not None:
            return [gone]
        if service.status.deployment_mode == KNATIVE and (told := _failed(service)):
            return told
        waits_for = "its pods" if facts.deployments else _first_child(service)
        age = ago(service.metadata.creation_timestamp, facts.now)
        return [
            Cause(Kind.STARTING, "service", f"still starting{f', for {age}' if age else ''}: waiting for {waits_for}")
        ]
    route = route_cause(facts)
    return [route] if route is not None else _conditions(service)


def _first_child(service: Service) -> str:
    if service.status.deployment_mode == KNATIVE:
        return "Knative to make its revision"
    return "the controller to choose a runtime and make its Deployment"


def _sleeps(service: Service) -> bool:
    """In Knative mode a predictor can be ready without a pod."""
    predictor = condition(service.status.conditions, "PredictorReady")
    ready = predictor is not None and predictor.status is ConditionStatus.TRUE
    return service.status.deployment_mode == KNATIVE and ready


def _failed(service: Service) -> list[Cause]:
    """What Knative says is wrong; a service that sleeps has no pods either, and nothing is wrong with it."""
    return [one for one in _conditions(service) if one.kind is Kind.CONDITION and one.summary.startswith("False")]


def _conditions(service: Service) -> list[Cause]:
    """The last resort: what the conditions say themselves."""
    told = [
        _condition(one)
        for one in service.status.conditions
        if one.status is not ConditionStatus.TRUE and one.type not in {"Ready", "Stopped"} and one.severity != "Info"
    ]
    return told or [Cause(Kind.STARTING, "service", "its conditions are about to be updated; ask again")]


def _condition(one: Condition) -> Cause:
    known = meaning(one.reason)
    words = f": {known.words}" if known else ""
    summary = f"{one.status} ({one.reason}){words}" if one.reason else one.status
    details = (one.message,) if one.message else ()
    return Cause(Kind.CONDITION, one.type, summary, details, known.fix if known else "")


def _headline(facts: Facts, service: Service, causes: tuple[Cause, ...]) -> str:
    name = f"inferenceservice/{facts.name}"
    if _says_ready(service):
        serves = causes[0].kind in (Kind.PROCESS_DOWN, Kind.NOT_SCALED, Kind.MODEL_NOT_SERVED)
        return f"{name} says it is ready, but" if serves else f"{name} still serves what was before, because"
    ready = condition(service.status.conditions, "Ready")
    since = ready.last_transition_time if ready else None
    age = ago(since or service.metadata.creation_timestamp, facts.now)
    return f"{name} is not ready{f' for {age}' if age else ''}, because"


def _fine(facts: Facts, service: Service) -> str:
    status = service.status
    runtime = status.serving_runtime_name or status.cluster_serving_runtime_name
    parts = [_replicas(facts, service), f"runtime {runtime}" if runtime else "", _shares(service), status.url or ""]
    return f"inferenceservice/{facts.name} is ready: {', '.join(part for part in parts if part)}."


def _replicas(facts: Facts, service: Service) -> str:
    count = sum(one.status.ready_replicas for one in facts.deployments)
    asleep = count == 0 and service.status.deployment_mode == KNATIVE
    return "asleep (0 replicas: the next request starts one)" if asleep else plural(count, "replica")


def _shares(service: Service) -> str:
    """`revision iris-predictor-00002 takes 100 %`, or each one's share while there is a canary."""
    predictor = service.status.components.get("predictor")
    traffic = [one for one in predictor.traffic if one.percent] if predictor else []
    shares = ", ".join(f"{one.revision_name} takes {one.percent} %" for one in traffic)
    return f"{'revision' if len(traffic) == 1 else 'revisions'} {shares}" if traffic else ""


def _next(facts: Facts, causes: tuple[Cause, ...]) -> str:
    where = "" if facts.namespace == "default" else f" -n {facts.namespace}"
    first = causes[0]
    if first.kind is Kind.PROCESS_DOWN:
        return "inferplane status"
    if first.kind is Kind.MODEL_NOT_SERVED:
        return f"kubectl describe trainedmodel {first.subject}{where}"
    if first.kind is Kind.IMAGE_NOT_RUNNABLE:
        return "inferplane get processimages"
    if first.pod and first.kind is not Kind.STARTING:
        return f"inferplane logs {facts.name}{where}{' --previous' if first.previous else ''}"
    if first.kind in {Kind.STARTING, Kind.NO_ENDPOINTS, Kind.ROUTE_NOT_PROGRAMMED, Kind.DELETING}:
        return f"inferplane why {facts.name}{where}"
    if first.kind in {Kind.UNKNOWN_FORMAT, Kind.NO_PROTOCOL, Kind.RUNTIME_DISABLED, Kind.RUNTIME_UNKNOWN}:
        return "correct the file, then  inferplane apply -f FILE"
    return f"inferplane get isvc {facts.name}{where} -o yaml"
