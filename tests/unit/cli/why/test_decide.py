"""Every cause that `why` knows: made-up facts in, the kind, the words and the fix out."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from inferplane.cli.why.causes import Cause, Kind
from inferplane.cli.why.decide import Explanation, decide
from inferplane.cli.why.facts import Deployment, Event, Facts, Node, Pod, Process, Route, Runtime, Service
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.meta import Condition, ConditionStatus

NOW = datetime(2026, 5, 1, 12, 0, 12, tzinfo=UTC)
T0 = "2026-05-01T12:00:00Z"


def service(spec: JsonObject | None = None, status: JsonObject | None = None, **metadata: Json) -> Service:
    model: JsonObject = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/fraud"}
    body: JsonObject = {
        "metadata": {"name": "fraud", "namespace": "default", "creationTimestamp": T0, **metadata},
        "spec": {"predictor": {"model": model | (spec or {})}},
        "status": status or not_ready(),
    }
    return msgspec.convert(body, Service)


def not_ready(reason: str = "", message: str = "", **more: Json) -> JsonObject:
    ready: JsonObject = {"type": "Ready", "status": "False", "lastTransitionTime": T0}
    return {"conditions": [ready | {"reason": reason, "message": message}], **more}


def ready() -> JsonObject:
    return {
        "conditions": [{"type": "Ready", "status": "True"}],
        "url": "http://fraud.default.localhost:8080",
        "clusterServingRuntimeName": "kserve-sklearnserver",
    }


def invalid_spec(reason: str, message: str = "") -> JsonObject:
    return not_ready(
        modelStatus={"transitionStatus": "InvalidSpec", "lastFailureInfo": {"reason": reason, "message": message}}
    )


def runtime(name: str, format: str, protocols: list[Json], *, auto: bool = True, version: str = "1") -> Runtime:
    supported: JsonObject = {"name": format, "autoSelect": auto, "version": version}
    spec: JsonObject = {"supportedModelFormats": [supported], "protocolVersions": protocols}
    return msgspec.convert({"metadata": {"name": name}, "spec": spec}, Runtime)


RUNTIMES = (
    runtime("kserve-sklearnserver", "sklearn", ["v1", "v2"]),
    runtime("kserve-tritonserver", "onnx", ["v2"]),
)


def pod(*containers: JsonObject, init: list[Json] | None = None, node: str = "laptop", **status: Json) -> Pod:
    body: JsonObject = {
        "metadata": {
            "name": "fraud-predictor-7c9d-1",
            "namespace": "default",
            "labels": {"component": "predictor"},
            "creationTimestamp": T0,
        },
        "spec": {"nodeName": node},
        "status": {"containerStatuses": list(containers), "initContainerStatuses": init or [], **status},
    }
    return msgspec.convert(body, Pod)


FETCHING: JsonObject = {
    "type": "Initialized",
    "status": "False",
    "message": "containers with incomplete status: [storage-initializer]: s3://b/m: 41 % of 2.9 GiB",
}


def container(state: JsonObject, name: str = "kserve-container", **more: Json) -> JsonObject:
    return {"name": name, "state": state, **more}


def ended(code: int, message: str = "", **more: Json) -> JsonObject:
    return {"terminated": {"exitCode": code, "reason": "Error", "message": message, **more}}


def route(*conditions: JsonObject) -> Route:
    parents: list[Json] = [{"controllerName": "inferplane.dev/gateway", "conditions": list(conditions)}]
    return msgspec.convert({"metadata": {"name": "fraud"}, "status": {"parents": parents}}, Route)


def event(name: str, reason: str, message: str) -> Event:
    body: JsonObject = {"involvedObject": {"name": name}, "type": "Warning", "reason": reason, "message": message}
    return msgspec.convert(body, Event)


READY_POD = pod(container({"running": {}}, ready=True), conditions=[{"type": "Ready", "status": "True"}])
NODE = msgspec.convert({"metadata": {"name": "laptop"}}, Node)
FACTS = Facts("fraud", "default", NOW, service(), runtimes=RUNTIMES, nodes=(NODE,))


def explained(**changes: object) -> Explanation:
    return decide(replace(FACTS, **changes))  # type: ignore[arg-type]  # each caller names a field with its type


def the_cause(**changes: object) -> Cause:
    explanation = explained(**changes)
    assert len(explanation.causes) == 1
    return explanation.causes[0]


def test_a_service_that_is_fine_gets_one_line() -> None:
    deployment = msgspec.convert({"metadata": {"name": "fraud-predictor"}, "status": {"readyReplicas": 1}}, Deployment)
    told = explained(service=service(status=ready()), deployments=(deployment,))
    assert told.fine
    assert told.headline == (
        "inferenceservice/fraud is ready: 1 replica, runtime kserve-sklearnserver, http://fraud.default.localhost:8080."
    )


def test_the_headline_says_for_how_long() -> None:
    assert explained().headline == "inferenceservice/fraud is not ready for 12 s, because"


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    told = explained(service=None, other_services=("default/frauds", "default/iris"))
    assert told.headline == "there is no inferenceservice/fraud in namespace default"
    assert told.causes[0].fix == "did you mean frauds in namespace default?  inferplane why frauds -n default"


def test_a_service_of_that_name_in_another_namespace_is_suggested_first() -> None:
    told = explained(service=None, other_services=("default/frauds", "team/fraud"))
    assert told.causes[0].fix.endswith("inferplane why fraud -n team")


def test_an_unknown_format_lists_those_there_are_and_the_nearest() -> None:
    cause = the_cause(service=service({"modelFormat": {"name": "sklern"}}, invalid_spec("NoSupportingRuntime")))
    assert (cause.kind, cause.summary) == (Kind.UNKNOWN_FORMAT, 'no runtime serves format "sklern"')
    assert cause.details == ("there are: onnx, sklearn (inferplane get clusterservingruntimes)",)
    assert cause.fix == "set  spec.predictor.model.modelFormat.name: sklearn"


def test_a_format_without_its_protocol_names_the_protocols_there_are() -> None:
    cause = the_cause(service=service({"modelFormat": {"name": "onnx"}}, invalid_spec("NoSupportingRuntime")))
    assert (cause.kind, cause.summary) == (Kind.NO_PROTOCOL, 'no runtime serves format "onnx" with protocol v1')
    assert cause.fix == "set  spec.predictor.model.protocolVersion: v2"


def test_a_version_that_no_runtime_serves_names_those_there_are() -> None:
    spec: JsonObject = {"modelFormat": {"name": "sklearn", "version": "9"}}
    cause = the_cause(service=service(spec, invalid_spec("NoSupportingRuntime")))
    assert cause.summary == 'no runtime serves version 9 of format "sklearn"'
    assert cause.details == ("there are: 1",)


def test_a_named_runtime_that_serves_another_format_is_told() -> None:
    cause = the_cause(service=service({"runtime": "kserve-tritonserver"}, invalid_spec("NoSupportingRuntime")))
    assert cause.summary == 'runtime "kserve-tritonserver" does not serve format "sklearn"'
    assert cause.details == ("these do: kserve-sklearnserver",)


def test_a_runtime_that_is_not_there_gets_the_nearest_name() -> None:
    cause = the_cause(service=service({"runtime": "kserve-sklearnsrver"}, invalid_spec("RuntimeNotRecognized")))
    assert (cause.kind, cause.summary) == (Kind.RUNTIME_UNKNOWN, 'there is no runtime "kserve-sklearnsrver"')
    assert cause.fix == "set  spec.predictor.model.runtime: kserve-sklearnserver"


def test_a_disabled_runtime_is_told() -> None:
    cause = the_cause(service=service({"runtime": "kserve-tritonserver"}, invalid_spec("RuntimeDisabled")))
    assert (cause.kind, cause.summary) == (Kind.RUNTIME_DISABLED, 'runtime "kserve-tritonserver" is disabled')


def test_an_invalid_spec_shows_what_the_controller_says() -> None:
    cause = the_cause(service=service(None, invalid_spec("InvalidPredictorSpec", "template: unknown field .Nam")))
    assert (cause.kind, cause.details) == (Kind.INVALID_SPEC, ("template: unknown field .Nam",))


def test_a_failure_of_the_past_is_not_told() -> None:
    status = not_ready(
        modelStatus={"transitionStatus": "InProgress", "lastFailureInfo": {"reason": "NoSupportingRuntime"}}
    )
    assert the_cause(service=service(None, status)).kind is Kind.STARTING


def test_a_reconcile_error_is_told_with_its_component() -> None:
    failed: JsonObject = {
        "type": "PredictorReady",
        "status": "False",
        "reason": "ReconcileFailed",
        "message": "storageUri: expected one of gs:// s3://, got ftp://x",
    }
    cause = the_cause(service=service(None, {"conditions": [failed]}))
    assert (cause.kind, cause.subject) == (Kind.NOT_RECONCILED, "predictor")
    assert cause.details == ("storageUri: expected one of gs:// s3://, got ftp://x",)


def test_a_component_that_is_refused_is_told_by_its_name() -> None:
    failed: JsonObject = {"type": "TransformerReady", "status": "False", "reason": "ReconcileFailed", "message": "no"}
    assert the_cause(service=service(None, {"conditions": [failed]})).subject == "transformer"


def test_too_few_gpus_are_told_with_the_numbers() -> None:
    words = "needs 7 GPUs: head 2 and worker 4 give 6 on 2 nodes"
    failed: JsonObject = {
        "type": "PredictorReady",
        "status": "False",
        "reason": "InvalidGPUAllocation",
        "message": words,
    }
    cause = the_cause(service=service(None, {"conditions": [failed]}))
    assert (cause.summary, cause.details) == ("its nodes have too few GPUs for the model", (words,))


def test_an_ingress_that_the_gateway_does_not_serve_yet_is_told() -> None:
    waiting: JsonObject = {
        "type": "IngressReady",
        "status": "False",
        "reason": "IngressNotServed",
        "message": "the gateway does not serve the Ingress yet",
    }
    cause = the_cause(service=service(None, {"conditions": [waiting]}), pods=(READY_POD,))
    assert (cause.kind, cause.subject) == (Kind.ROUTE_NOT_PROGRAMMED, "ingress")


def test_a_stopped_service_says_how_to_start_it() -> None:
    cause = the_cause(service=service(None, None, annotations={"serving.kserve.io/stop": "true"}))
    assert (cause.kind, cause.fix) == (Kind.STOPPED, "remove the annotation  serving.kserve.io/stop")


def test_a_service_that_is_being_deleted_says_so() -> None:
    assert the_cause(service=service(None, None, deletionTimestamp=T0)).kind is Kind.DELETING


@pytest.mark.parametrize("name", ["node", "envoy", "control-plane"])
def test_a_dead_process_is_told_even_of_a_ready_service(name: str) -> None:
    told = explained(
        service=service(status=ready()), processes=(Process(name, 41, False), Process("supervisor", 7, True))
    )
    assert told.headline == "inferenceservice/fraud says it is ready, but"
    assert [(one.kind, one.subject) for one in told.causes] == [(Kind.PROCESS_DOWN, name)]
    assert told.next == "inferplane status"


def test_a_pod_without_any_node_is_told() -> None:
    assert the_cause(pods=(pod(node=""),), nodes=()).summary == "no node is there to run it"


def test_a_pod_that_fits_nowhere_shows_the_scheduler_s_words() -> None:
    unschedulable: JsonObject = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes: 1 has too little memory (asked 64Gi, free 12Gi)",
    }
    cause = the_cause(pods=(pod(node="", conditions=[unschedulable]),))
    assert (cause.kind, cause.details) == (
        Kind.UNSCHEDULABLE,
        ("0/1 nodes: 1 has too little memory (asked 64Gi, free 12Gi)",),
    )


def test_a_node_that_does_not_report_is_told_beside_its_pods() -> None:
    silent: JsonObject = {"type": "Ready", "status": "Unknown", "message": "no report for 40 s"}
    node = msgspec.convert({"metadata": {"name": "laptop"}, "status": {"conditions": [silent]}}, Node)
    told = explained(nodes=(node,), pods=(pod(container({"running": {}})),))
    assert [one.kind for one in told.causes] == [Kind.NODE_NOT_READY, Kind.STARTING]


def test_a_model_that_cannot_be_fetched_names_the_storage_uri() -> None:
    failed = container(ended(1, "/srv/models/fraud: no such directory"), "storage-initializer")
    cause = the_cause(pods=(pod(init=[failed]),))
    assert (cause.kind, cause.details) == (Kind.STORAGE, ("/srv/models/fraud: no such directory",))
    assert cause.fix == "correct  spec.predictor.model.storageUri: pvc://models/fraud"


def test_the_storage_uri_is_not_blamed_for_what_is_not_its_fault() -> None:
    words = "s3://b/m: access denied to access key A: let it read there, or give the service other credentials"
    cause = the_cause(pods=(pod(init=[container(ended(1, words), "storage-initializer")]),))
    assert (cause.kind, cause.details, cause.fix) == (Kind.STORAGE, (words,), "")


def test_a_claim_that_cannot_be_mounted_shows_the_event() -> None:
    message = 'persistentvolumeclaim "models" not found'
    waiting = container({"waiting": {"reason": "ContainerCreating"}})
    cause = the_cause(pods=(pod(waiting),), events=(event("fraud-predictor-7c9d-1", "FailedMount", message),))
    assert (cause.kind, cause.details) == (Kind.STORAGE, (message,))


def test_an_image_that_cannot_be_run_shows_the_ways_out() -> None:
    message = "acme/model:1 is in no ProcessImage; give a command, add a ProcessImage, or install a container engine"
    waiting = container({"waiting": {"reason": "ImageNotRunnable", "message": message}}, image="acme/model:1")
    cause = the_cause(pods=(pod(waiting),))
    assert (cause.kind, cause.summary) == (
        Kind.IMAGE_NOT_RUNNABLE,
        "image acme/model:1 cannot be run as a process",
    )
    assert cause.details == (message,)


def test_a_command_that_does_not_exist_is_told() -> None:
    waiting = container({"waiting": {"reason": "CreateContainerError", "message": "no command: mlservr"}})
    cause = the_cause(pods=(pod(waiting),))
    assert cause.kind is Kind.CANNOT_START
    assert cause.summary == "container kserve-container cannot start (CreateContainerError)"


FAILED_LOAD: JsonObject = {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": {"reason": "ModelLoadFailed"}}


def test_a_model_that_did_not_load_shows_the_server_s_last_words() -> None:
    crash = container({"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=2) | {
        "lastState": ended(1, "model.joblib: not a joblib file")
    }
    told = explained(
        service=service(None, not_ready(modelStatus=FAILED_LOAD)),
        pods=(pod(crash),),
        log_tails={"fraud-predictor-7c9d-1": ("12:04:31 ValueError",)},
    )
    assert [(one.kind, one.details) for one in told.causes] == [
        (Kind.MODEL_NOT_LOADED, ("model.joblib: not a joblib file",))
    ]
    assert (told.log_pod, told.log_lines) == ("fraud-predictor-7c9d-1", ("12:04:31 ValueError",))
    assert told.next == "inferplane logs fraud --previous"


def test_a_message_that_is_the_end_of_a_log_is_cut_to_its_last_line() -> None:
    failed = service(None, not_ready(modelStatus=FAILED_LOAD))
    log = "\n".join(["Traceback (most recent call last):", *(f"  line {n}" for n in range(9)), "ValueError: bad"])
    cause = the_cause(service=failed, pods=(pod(container(ended(1, log))),))
    assert (cause.kind, cause.details) == (Kind.CRASHING, ("ValueError: bad",))


def test_a_killed_server_has_not_failed_to_load() -> None:
    failed = service(None, not_ready(modelStatus=FAILED_LOAD))
    assert the_cause(service=failed, pods=(pod(container(ended(137, "x"))),)).kind is Kind.CRASHING


def test_a_change_that_fails_is_told_while_the_version_before_serves() -> None:
    told = explained(
        service=service(None, ready() | {"modelStatus": FAILED_LOAD}), pods=(pod(container(ended(1, "bad"))), READY_POD)
    )
    assert told.headline == "inferenceservice/fraud still serves what was before, because"
    assert [one.kind for one in told.causes] == [Kind.MODEL_NOT_LOADED]


def test_a_command_that_the_system_does_not_find_is_told() -> None:
    failed = container(ended(128, "exec 'mlservr': No such file or directory", reason="StartError"))
    cause = the_cause(pods=(pod(failed),))
    assert (cause.kind, cause.details) == (Kind.CANNOT_START, ("exec 'mlservr': No such file or directory",))


def test_a_runtime_whose_library_is_not_installed_shows_how_to_install_it() -> None:
    message = "No module named 'sklearn': pip install 'inferplane[sklearn]'"
    waiting = container({"waiting": {"reason": "RuntimeNotInstalled", "message": message}})
    cause = the_cause(pods=(pod(waiting),))
    assert (cause.kind, cause.details) == (Kind.MISSING_LIBRARY, (message,))


def test_an_environment_that_cannot_be_built_shows_what_the_node_says() -> None:
    message = "the model was saved with scikit-learn 1.4.2 and the platform has 1.9.1; cannot get scikit-learn==1.4.*"
    waiting = container({"waiting": {"reason": "EnvironmentNotBuilt", "message": message}})
    cause = the_cause(pods=(pod(waiting),))
    assert (cause.kind, cause.summary) == (Kind.MISSING_LIBRARY, "its Python environment could not be built")
    assert cause.details == (message,)


def test_a_claim_that_the_node_cannot_mount_is_a_matter_of_storage() -> None:
    message = 'persistentvolumeclaim "models" not found'
    waiting = container({"waiting": {"reason": "FailedMount", "message": message}})
    assert the_cause(pods=(pod(waiting),)).details == (message,)


def test_what_is_not_supported_yet_is_told() -> None:
    refused: JsonObject = {
        "type": "PredictorReady",
        "status": "False",
        "reason": "NotSupportedYet",
        "message": "spec.transformer is not supported yet",
    }
    cause = the_cause(service=service(None, {"conditions": [refused]}))
    assert (cause.kind, cause.details) == (Kind.NOT_RECONCILED, ("spec.transformer is not supported yet",))


def test_a_module_that_moved_between_versions_asks_for_the_version() -> None:
    crash = container(ended(1, "ModuleNotFoundError: No module named 'numpy._core'"))
    cause = the_cause(pods=(pod(crash),))
    assert (cause.kind, cause.summary) == (
        Kind.MISSING_LIBRARY,
        "the model was written with another version of numpy: its environment has no numpy._core",
    )
    assert "spec.predictor.model.runtimeVersion" in cause.fix


def test_a_missing_library_is_read_from_the_log_when_there_is_no_message() -> None:
    tails = {"fraud-predictor-7c9d-1": ("Traceback …", "ModuleNotFoundError: No module named 'lightgbm'")}
    cause = the_cause(pods=(pod(container(ended(1), image="kserve/sklearnserver:latest")),), log_tails=tails)
    assert cause.summary == "the model needs lightgbm, which its environment does not have"
    assert cause.fix == "add lightgbm to the requirements of the ProcessImage of kserve/sklearnserver:latest"


@pytest.mark.parametrize(
    ("terminated", "words"),
    [
        (ended(3), "container kserve-container exited with code 3, restarted 4 times"),
        (ended(137), "container kserve-container was ended by SIGKILL, restarted 4 times"),
        (ended(0, signal=11), "container kserve-container was ended by SIGSEGV, restarted 4 times"),
        (
            ended(137, reason="OOMKilled"),
            "container kserve-container was killed for using more memory than its limit, restarted 4 times",
        ),
    ],
)
def test_a_crash_loop_says_how_the_process_ends(terminated: JsonObject, words: str) -> None:
    crash = container({"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=4) | {"lastState": terminated}
    cause = the_cause(pods=(pod(crash),))
    assert (cause.kind, cause.summary, cause.previous) == (Kind.CRASHING, words, True)


def test_a_process_whose_probe_fails_shows_the_probe_s_answer() -> None:
    cause = the_cause(
        pods=(pod(container({"running": {}})),),
        events=(event("fraud-predictor-7c9d-1", "Unhealthy", "Readiness probe failed: HTTP 503"),),
    )
    assert (cause.kind, cause.details) == (Kind.PROBE_FAILING, ("Readiness probe failed: HTTP 503",))


@pytest.mark.parametrize(
    ("one", "stage"),
    [
        (pod(), "waiting for the node to start its containers"),
        (pod(init=[container({"running": {}}, "storage-initializer")]), "fetching the model"),
        (
            pod(init=[container({"running": {}}, "storage-initializer")], conditions=[FETCHING]),
            "fetching the model (s3://b/m: 41 % of 2.9 GiB)",
        ),
        (pod(container({"waiting": {"reason": "PodInitializing"}})), "starting container kserve-container"),
        (pod(container({"running": {}})), "container kserve-container runs and is loading (not ready yet)"),
    ],
)
def test_a_pod_on_its_way_says_what_it_waits_for(one: Pod, stage: str) -> None:
    cause = the_cause(pods=(one,))
    assert (cause.kind, cause.summary) == (Kind.STARTING, f"still starting, for 12 s: {stage}")


def test_only_the_newest_pod_of_a_component_is_told() -> None:
    old = msgspec.structs.replace(
        pod(container(ended(1))),
        metadata=msgspec.structs.replace(pod().metadata, name="old", creation_timestamp="2026-05-01T11:00:00Z"),
    )
    assert the_cause(pods=(old, pod(container({"running": {}})))).kind is Kind.STARTING


def test_pods_that_could_not_be_made_are_told() -> None:
    failure: JsonObject = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}
    deployment = msgspec.convert({"metadata": {"name": "d"}, "status": {"conditions": [failure]}}, Deployment)
    cause = the_cause(deployments=(deployment,))
    assert (cause.kind, cause.details) == (Kind.REPLICAS_REFUSED, ("quota",))


def test_before_there_is_a_deployment_the_controller_is_waited_for() -> None:
    expected = "still starting, for 12 s: waiting for the controller to choose a runtime and make its Deployment"
    assert the_cause().summary == expected


@pytest.mark.parametrize(
    ("routes", "kind"),
    [
        ((), Kind.ROUTE_MISSING),
        ((msgspec.convert({"metadata": {"name": "fraud"}}, Route),), Kind.ROUTE_NOT_PROGRAMMED),
        ((route({"type": "Accepted", "status": "False", "reason": "NoMatchingParent"}),), Kind.ROUTE_REFUSED),
        ((route({"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound"}),), Kind.ROUTE_REFUSED),
        ((route({"type": "Programmed", "status": "False", "reason": "Pending"}),), Kind.ROUTE_NOT_PROGRAMMED),
        ((route({"type": "Programmed", "status": "False", "reason": "NoReadyEndpoints"}),), Kind.NO_ENDPOINTS),
    ],
)
def test_ready_pods_without_a_way_to_them_are_the_route_s_matter(routes: tuple[Route, ...], kind: Kind) -> None:
    assert the_cause(pods=(READY_POD,), routes=routes).kind is kind


def test_a_refused_route_is_told_before_the_programming_that_waits_for_it() -> None:
    both = route(
        {"type": "Programmed", "status": "False", "reason": "Pending"},
        {"type": "Accepted", "status": "False", "reason": "NoMatchingListenerHostname", "message": "no listener"},
    )
    cause = the_cause(pods=(READY_POD,), routes=(both,))
    assert cause.summary == "the gateway refuses httproute/fraud (NoMatchingListenerHostname)"


def test_with_nothing_else_wrong_the_conditions_speak() -> None:
    ingress: JsonObject = {"type": "IngressReady", "status": "False", "reason": "Odd", "message": "who knows"}
    good = route({"type": "Accepted", "status": "True"}, {"type": "Programmed", "status": "True"})
    status: JsonObject = {"conditions": [ingress]}
    cause = the_cause(service=service(None, status), pods=(READY_POD,), routes=(good,))
    assert (cause.kind, cause.summary, cause.details) == (Kind.CONDITION, "False (Odd)", ("who knows",))


def test_the_next_command_names_another_namespace() -> None:
    told = explained(namespace="team", pods=(pod(container(ended(1))),))
    assert told.next == "inferplane logs fraud -n team"


def test_the_model_is_called_what_the_user_calls_it() -> None:
    message = "/home/ada/pods/1/containers/kserve-container/root/mnt/models/model.joblib: cannot be loaded"
    failed = service(None, not_ready(modelStatus=FAILED_LOAD))
    assert the_cause(service=failed, pods=(pod(container(ended(1, message))),)).details == (
        "pvc://models/fraud/model.joblib: cannot be loaded",
    )


def test_a_log_that_only_repeats_the_evidence_is_not_shown() -> None:
    message = "/mnt/models: looked for one file ending in .joblib, .pkl, .pickle, found nothing"
    told = explained(
        service=service(None, not_ready(modelStatus=FAILED_LOAD)),
        pods=(pod(container(ended(1, message))),),
        log_tails={"fraud-predictor-7c9d-1": (f"12:00:01 ERROR {message}",)},
    )
    assert told.log_lines == ()


def test_protocols_over_http_come_first() -> None:
    both = runtime("triton", "onnx", ["grpc-v2", "v2"])
    spec: JsonObject = {"modelFormat": {"name": "onnx"}}
    cause = the_cause(service=service(spec, invalid_spec("NoSupportingRuntime")), runtimes=(both,))
    assert cause.details == ("there are: v2, grpc-v2 (triton)",)


def in_knative(predictor: str, **more: Json) -> Service:
    condition: JsonObject = {"type": "PredictorReady", "status": predictor, **more}
    return service(
        status={"conditions": [{"type": "Ready", "status": predictor}, condition], "deploymentMode": "Knative"}
    )


def test_without_knative_the_mode_is_the_cause() -> None:
    found = in_knative("False", reason="ServerlessModeRejected", message="it needs Knative's Service")
    cause = the_cause(service=found)
    assert (cause.kind, cause.subject, cause.details) == (
        Kind.MODE_REJECTED,
        "service",
        ("it needs Knative's Service",),
    )
    assert cause.fix == "set the annotation  serving.kserve.io/deploymentMode: Standard"


def test_in_knative_mode_what_knative_says_is_told() -> None:
    cause = the_cause(service=in_knative("False", reason="RevisionFailed", message="it broke"), pods=())
    summary = "False (RevisionFailed): the newest revision cannot be made or does not start"
    assert (cause.kind, cause.summary, cause.details) == (Kind.CONDITION, summary, ("it broke",))


def test_in_knative_mode_the_words_of_a_pod_that_was_given_up_are_told() -> None:
    failure: JsonObject = {"reason": "ModelLoadFailed", "message": "/mnt/models/model.joblib: cannot be loaded"}
    status: JsonObject = not_ready(
        deploymentMode="Knative",
        modelStatus={"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": failure},
    )
    cause = the_cause(service=service(status=status), pods=())
    assert (cause.kind, cause.details) == (
        Kind.MODEL_NOT_LOADED,
        ("pvc://models/fraud/model.joblib: cannot be loaded",),
    )


def test_in_knative_mode_a_service_that_is_fine_tells_its_revisions() -> None:
    traffic: list[Json] = [
        {"revisionName": "fraud-predictor-00002", "percent": 10},
        {"revisionName": "fraud-predictor-00001", "percent": 90},
    ]
    in_mode: JsonObject = {"deploymentMode": "Knative", "components": {"predictor": {"traffic": traffic[:1]}}}
    asleep = explained(service=service(status=ready() | in_mode)).headline
    both = ready() | in_mode | {"components": {"predictor": {"traffic": traffic}}}
    assert "is ready: asleep (0 replicas: the next request starts one), runtime" in asleep
    assert ", revision fraud-predictor-00002 takes 10 %, http" in asleep
    assert (
        "revisions fraud-predictor-00002 takes 10 %, fraud-predictor-00001 takes 90 %"
        in explained(service=service(status=both)).headline
    )


def test_in_knative_mode_a_revision_is_waited_for() -> None:
    cause = the_cause(service=in_knative("Unknown"), pods=(), deployments=())
    assert cause.summary == "still starting, for 12 s: waiting for Knative to make its revision"


def test_in_knative_mode_a_predictor_that_sleeps_is_not_waited_for() -> None:
    found = in_knative("True")
    waits = msgspec.structs.replace(
        found,
        status=msgspec.structs.replace(
            found.status, conditions=(*found.status.conditions[1:], *not_ready_conditions("IngressReady"))
        ),
    )
    assert the_cause(service=waits, pods=(), routes=()).kind is Kind.ROUTE_MISSING


def not_ready_conditions(type: str) -> tuple[Condition, ...]:
    return tuple(Condition(type=one, status=ConditionStatus.FALSE) for one in ("Ready", type))


def test_a_condition_is_told_with_what_its_reason_means() -> None:
    told: JsonObject = {"type": "IngressReady", "status": "False", "reason": "NotSupportedByUs", "message": "m"}
    known = told | {"reason": "ParentStatusNotAvailable"}
    pods = (pod(container({"running": {}}, ready=True), conditions=[{"type": "Ready", "status": "True"}]),)
    routes = (route({"type": "Programmed", "status": "True"}),)
    for one, summary in (
        (told, "False (NotSupportedByUs)"),
        (known, "False (ParentStatusNotAvailable): no gateway has taken the route up"),
    ):
        status: JsonObject = {"conditions": [{"type": "Ready", "status": "False"}, one]}
        cause = the_cause(service=service(status=status), pods=pods, routes=routes)
        assert (cause.kind, cause.summary) == (Kind.CONDITION, summary)
