"""KServe's own behaviours in Standard mode (its controller tests, by the numbers of our reference)."""

from tests.reconcile.serving.world import config, isvc, route_status, runtime, serving

from inferplane.client.kubernetes.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    GATEWAY,
    HTTP_ROUTE,
    INFERENCE_SERVICE,
    SERVICE,
    SERVING_RUNTIME,
)
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

NAME = "raw-foo-predictor"
LABELS = {
    "app": f"isvc.{NAME}",
    "component": "predictor",
    "serving.kserve.io/inferenceservice": "raw-foo",
}


def first(value: JsonObject, *path: str) -> JsonObject:
    found = list_at(value, *path)[0]
    assert isinstance(found, dict)
    return found


async def test_r1_the_deployment_is_kserves() -> None:
    async with serving() as world:
        await world.applied(isvc(autoscalerClass="hpa"))
        found = world.peek(DEPLOYMENT, NAME)
    annotations = {
        "internal.serving.kserve.io/storage-initializer-sourceuri": "s3://test/mnist/export",
        "serving.kserve.io/autoscalerClass": "hpa",
        "serving.kserve.io/deploymentMode": "Standard",
    }
    spec = object_at(found, "spec")
    template = object_at(spec, "template")
    pod = object_at(template, "spec")
    container = first(pod, "containers")
    assert object_at(template, "metadata") == {
        "name": NAME,
        "namespace": "default",
        "labels": LABELS,
        "annotations": annotations,
    }
    assert object_at(spec, "selector") == {"matchLabels": {"app": f"isvc.{NAME}"}}
    assert "replicas" not in spec
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (10, 600)
    assert {key: pod[key] for key in pod if key not in ("containers", "initContainers", "volumes")} == {
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }
    assert container == {
        "name": "kserve-container",
        "image": "tensorflow/serving:1.14.0",
        "command": ["/usr/bin/tensorflow_model_server"],
        "args": ["--port=9000", "--rest_api_port=8080"],
        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}},
        "env": [{"name": "INFERENCE_SERVICE_NAME", "value": "raw-foo"}],
        "readinessProbe": {
            "tcpSocket": {"port": 8080},
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "volumeMounts": [{"name": "kserve-provision-location", "mountPath": "/mnt/models", "readOnly": True}],
    }


async def test_r1_automount_is_off_when_the_configuration_says_so() -> None:
    async with serving(config_map=config(security='{"autoMountServiceAccountToken": false}')) as world:
        await world.applied(isvc())
        pod = object_at(world.peek(DEPLOYMENT, NAME), "spec", "template", "spec")
    assert pod["automountServiceAccountToken"] is False


async def test_r2_the_service_maps_port_80_to_the_container() -> None:
    async with serving() as world:
        await world.applied(isvc())
        spec = object_at(world.peek(SERVICE, NAME), "spec")
    assert spec == {
        "selector": {"app": f"isvc.{NAME}"},
        "ports": [{"name": NAME, "port": 80, "targetPort": 8080, "protocol": "TCP"}],
    }


async def test_r3_routes_lead_from_the_hosts_to_the_predictor() -> None:
    domains = (
        '{"ingressDomain": "example.com", "additionalIngressDomains": ["additional.example.com"], "pathTemplate": ""}'
    )
    async with serving(config_map=config(ingress=domains)) as world:
        await world.applied(isvc(predictor={"timeout": 30}))
        top, component = (object_at(world.peek(HTTP_ROUTE, name), "spec") for name in ("raw-foo", NAME))
    rule: JsonObject = {
        "matches": [{"path": {"type": "RegularExpression", "value": "^/.*$"}}],
        "filters": [
            {
                "type": "RequestHeaderModifier",
                "requestHeaderModifier": {
                    "set": [
                        {"name": "KServe-Isvc-Name", "value": "raw-foo"},
                        {"name": "KServe-Isvc-Namespace", "value": "default"},
                    ]
                },
            }
        ],
        "backendRefs": [
            {"group": "", "kind": "Service", "name": NAME, "namespace": "default", "port": 80, "weight": 1}
        ],
        "timeouts": {"request": "30s"},
    }
    parent: JsonObject = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "namespace": "kserve",
        "name": "kserve-ingress-gateway",
    }
    assert top == {
        "parentRefs": [parent],
        "hostnames": ["raw-foo-default.example.com", "raw-foo-default.additional.example.com"],
        "rules": [rule],
    }
    assert component == {
        "parentRefs": [parent],
        "hostnames": ["raw-foo-predictor-default.example.com"],
        "rules": [rule],
    }


async def test_r4_the_status_when_everything_is_ready() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.available()
        await world.accepted()
        status, events = world.status(), world.events()
    now = "2026-01-01T00:00:00Z"
    assert status == {
        "conditions": [
            {"type": "IngressReady", "status": "True", "lastTransitionTime": now},
            {"type": "PredictorReady", "status": "True", "lastTransitionTime": now},
            {"type": "Ready", "status": "True", "lastTransitionTime": now},
            {"type": "Stopped", "status": "False", "severity": "Info", "lastTransitionTime": now},
        ],
        "observedGeneration": 1,
        "url": "http://raw-foo-default.example.com",
        "address": {"url": "http://raw-foo-predictor.default.svc.cluster.local"},
        "components": {"predictor": {"url": "http://raw-foo-predictor-default.example.com"}},
        "modelStatus": {
            "transitionStatus": "InProgress",
            "states": {"activeModelState": "", "targetModelState": "Pending"},
            "copies": {"failedCopies": 0},
        },
        "deploymentMode": "Standard",
        "servingRuntimeName": "tf-serving-raw",
    }
    assert events == ["Normal InferenceServiceReady"]


async def test_r6_a_strategy_of_the_users_own_is_taken_as_it_is() -> None:
    async with serving() as world:
        await world.applied(isvc(predictor={"deploymentStrategy": {"type": "Recreate"}}))
        deployment, route = world.peek(DEPLOYMENT, NAME), world.peek(HTTP_ROUTE, "raw-foo")
    assert object_at(deployment, "spec")["strategy"] == {"type": "Recreate"}
    assert first(route, "spec", "rules")["timeouts"] == {"request": "60s"}


async def test_r7_with_class_none_min_replicas_is_the_number() -> None:
    async with serving() as world:
        await world.applied(isvc(autoscalerClass="none"))
        before = object_at(world.peek(DEPLOYMENT, NAME), "spec").get("replicas")
        await world.applied(isvc(predictor={"minReplicas": 2}, autoscalerClass="none"))
        after = object_at(world.peek(DEPLOYMENT, NAME), "spec").get("replicas")
    assert (before, after) == (None, 2)


async def test_r8_variables_come_and_go_with_the_spec() -> None:
    def with_env(*names: str) -> JsonObject:
        env: list[Json] = [{"name": name, "value": "1"} for name in names]
        return isvc(predictor={"tensorflow": {"storageUri": "s3://b/m", "env": env}})

    async with serving() as world:
        seen: list[list[str]] = []
        for names in (["A", "B"], ["A", "C"], ["C"]):
            await world.applied(with_env(*names))
            container = first(world.peek(DEPLOYMENT, NAME), "spec", "template", "spec", "containers")
            seen.append([text_at(one, "name") for one in list_at(container, "env") if isinstance(one, dict)])
    assert [sorted(one) for one in seen] == [
        ["A", "B", "INFERENCE_SERVICE_NAME"],
        ["A", "C", "INFERENCE_SERVICE_NAME"],
        ["C", "INFERENCE_SERVICE_NAME"],
    ]


async def test_r25_r26_a_change_of_the_runtime_reaches_the_pods() -> None:
    async with serving() as world:
        await world.applied(isvc(disable_auto_update="false"))
        await world.available()
        await world.accepted()
        await world.add(SERVING_RUNTIME, runtime(labels={"team": "a"}))
        labels = object_at(world.peek(DEPLOYMENT, NAME), "spec", "template", "metadata", "labels")
    assert labels["team"] == "a"


async def test_r27_a_ready_service_that_disables_updates_keeps_what_runs_but_not_a_stale_status() -> None:
    async with serving() as world:
        await world.applied(isvc(disable_auto_update="true"))
        await world.available()
        await world.accepted()
        await world.add(SERVING_RUNTIME, runtime(labels={"team": "a"}))
        labels = object_at(world.peek(DEPLOYMENT, NAME), "spec", "template", "metadata", "labels")
        await world.says(DEPLOYMENT, NAME, {"conditions": [{"type": "Available", "status": "False", "reason": "Gone"}]})
        ready = world.condition("Ready")
    assert "team" not in labels
    assert (ready["status"], ready["reason"]) == ("False", "Gone")


async def test_r28_only_the_service_of_the_changed_runtime_changes() -> None:
    async with serving() as world:
        await world.add(SERVING_RUNTIME, runtime("other"))
        for name in ("tf-serving-raw", "other"):
            model: JsonObject = {"modelFormat": {"name": "tensorflow"}, "runtime": name, "storageUri": "s3://b/m"}
            body = isvc(f"uses-{name}")
            body["spec"] = {"predictor": {"model": model}}
            await world.applied(body)
        world.api.writes.clear()
        await world.add(SERVING_RUNTIME, runtime("other", labels={"team": "a"}))
        written = [(one.resource.kind, one.name) for one in world.api.writes]
    kinds = ["Deployment", "Service", "HorizontalPodAutoscaler"]
    assert written == [(kind, "uses-other-predictor") for kind in kinds]


async def test_r29_without_ingress_creation_there_are_no_routes_and_the_ingress_counts_as_ready() -> None:
    off = '{"ingressDomain": "example.com", "disableIngressCreation": true}'
    async with serving(config_map=config(ingress=off)) as world:
        await world.applied(isvc())
        await world.available()
        status, routes = world.status(), world.api.objects(HTTP_ROUTE)
        conditions = world.conditions()
    assert list(routes) == []
    assert (conditions["IngressReady"], conditions["Ready"]) == ("True", "True")
    assert status["url"] == "http://raw-foo-default.example.com"
    assert status["address"] == {"url": "http://raw-foo-predictor.default.svc.cluster.local"}


async def test_r30_hosts_follow_the_domain_template() -> None:
    template = (
        '{"ingressDomain": "example.com", "pathTemplate": "",'
        ' "domainTemplate": "{{ .Name }}.{{ .Namespace }}.{{ .IngressDomain }}"}'
    )
    async with serving(config_map=config(ingress=template)) as world:
        await world.applied(isvc("model"))
        await world.available("model-predictor")
        await world.accepted("model-predictor", "model")
        status = world.status("model")
        hosts = [object_at(world.peek(HTTP_ROUTE, name), "spec")["hostnames"] for name in ("model", "model-predictor")]
    assert status["url"] == "http://model.default.example.com"
    assert status["components"] == {"predictor": {"url": "http://model-predictor.default.example.com"}}
    assert hosts == [["model.default.example.com"], ["model-predictor.default.example.com"]]


async def test_r39_r40_a_headless_service_is_addressed_by_the_containers_port() -> None:
    ports: list[Json] = [{"containerPort": 8888, "protocol": "TCP"}]
    container = first(runtime(), "spec", "containers") | {"ports": ports}
    async with serving(config_map=config(service='{"serviceClusterIPNone": true}')) as world:
        await world.add(SERVING_RUNTIME, runtime(containers=[container]))
        await world.applied(isvc())
        await world.available()
        await world.accepted()
        service, status = object_at(world.peek(SERVICE, NAME), "spec"), world.status()
    assert service["clusterIP"] == "None"
    assert first(service, "ports")["targetPort"] == 8888
    assert status["address"] == {"url": "http://raw-foo-predictor.default.svc.cluster.local:8888"}


async def test_r42_a_replica_failure_speaks_for_the_predictor() -> None:
    conditions: list[Json] = [
        {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "no"},
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota exceeded"},
    ]
    async with serving() as world:
        await world.applied(isvc())
        await world.says(DEPLOYMENT, NAME, {"conditions": conditions})
        found = world.condition("PredictorReady")
        assert world.condition("Ready")
    assert (found["status"], found["reason"], found["message"]) == ("False", "FailedCreate", "quota exceeded")


async def test_a_second_reconcile_writes_nothing() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.available()
        await world.accepted()
        world.api.writes.clear()
        await world.add(CONFIG_MAP, config(deploy='{"defaultDeploymentMode": "Standard"}'))
        assert world.api.writes == []


async def test_what_others_change_in_our_fields_is_put_back() -> None:
    async with serving() as world:
        await world.applied(isvc())
        deployment, service = world.peek(DEPLOYMENT, NAME), world.peek(SERVICE, NAME)
        object_at(deployment, "spec")["revisionHistoryLimit"] = 1
        object_at(service, "metadata", "labels").pop("app")
        world.api.writes.clear()
        await world.add(DEPLOYMENT, deployment)
        await world.add(SERVICE, service)
        repaired = world.peek(DEPLOYMENT, NAME), world.peek(SERVICE, NAME)
        written = [one.resource.kind for one in world.api.writes]
    assert object_at(repaired[0], "spec")["revisionHistoryLimit"] == 10
    assert object_at(repaired[1], "metadata", "labels") == LABELS
    assert written == ["Deployment", "Service"]


async def test_what_is_deleted_comes_back() -> None:
    async with serving() as world:
        await world.applied(isvc())
        for resource, name in ((DEPLOYMENT, NAME), (SERVICE, NAME), (HTTP_ROUTE, "raw-foo")):
            world.api.remove(resource, name)
        await world.rests()
        assert [world.exists(*one) for one in ((DEPLOYMENT, NAME), (SERVICE, NAME), (HTTP_ROUTE, "raw-foo"))] == [
            True
        ] * 3


async def test_a_restarted_controller_changes_nothing() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.available()
        await world.accepted()
        world.api.changes.clear()
        async with serving(api=world.api) as again:
            await again.rests()
        assert world.api.changes == []


async def test_stop_removes_everything_and_start_brings_it_back() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.available()
        await world.accepted()
        await world.applied(isvc(stop="True"))
        gone = [world.exists(*one) for one in ((DEPLOYMENT, NAME), (SERVICE, NAME), (HTTP_ROUTE, "raw-foo"))]
        stopped, status = world.conditions(), world.status()
        await world.applied(isvc(stop="false"))
        back = world.conditions()["Stopped"], world.exists(DEPLOYMENT, NAME), world.exists(HTTP_ROUTE, "raw-foo")
    assert gone == [False, False, False]
    assert stopped == {"IngressReady": "False", "PredictorReady": "False", "Ready": "False", "Stopped": "True"}
    assert sorted(status) == ["conditions", "deploymentMode", "observedGeneration"]
    assert back == ("False", True, True)


async def test_a_route_that_is_not_programmed_withholds_ready_with_the_gateways_words() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.available()
        await world.accepted("raw-foo-predictor")
        waiting = world.condition("IngressReady")
        await world.says(HTTP_ROUTE, "raw-foo", route_status("False", "NoReadyEndpoints", "no endpoints", "Programmed"))
        refused = world.condition("Ready")
        await world.accepted("raw-foo")
        after = world.condition("Ready")
    assert (waiting["reason"], waiting["message"]) == (
        "ParentStatusNotAvailable",
        "InferenceService HttpRouteNotReady",
    )
    assert (refused["reason"], refused["message"]) == ("NoReadyEndpoints", "InferenceService no endpoints")
    assert after["status"] == "True"


async def test_urls_carry_the_gateways_port_and_follow_it() -> None:
    ours = config(ingress='{"ingressDomain": "localhost"}')
    async with serving(config_map=ours, port=8080) as world:
        await world.applied(isvc())
        await world.available()
        await world.accepted("raw-foo", NAME, "raw-foo-path")
        before = world.status()["url"]
        gateway = world.api.peek(GATEWAY, "kserve-ingress-gateway", "kserve")
        assert gateway is not None
        gateway["spec"] = {"listeners": [{"name": "http", "protocol": "HTTP", "port": 9090}]}
        await world.add(GATEWAY, gateway)
        after = world.status()
    assert before == "http://raw-foo-default.localhost:8080"
    assert after["url"] == "http://raw-foo-default.localhost:9090"
    assert after["components"] == {"predictor": {"url": "http://raw-foo-predictor-default.localhost:9090"}}


async def test_the_path_route_is_its_own_and_cuts_the_prefix_off() -> None:
    async with serving(config_map=config(ingress='{"ingressDomain": "localhost"}')) as world:
        await world.applied(isvc())
        spec = object_at(world.peek(HTTP_ROUTE, "raw-foo-path"), "spec")
        await world.add(CONFIG_MAP, config())
        assert not world.exists(HTTP_ROUTE, "raw-foo-path")
    rule = first(spec, "rules")
    assert spec["hostnames"] == ["localhost"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/serving/default/raw-foo"}}]
    assert list_at(rule, "filters")[1] == {
        "type": "URLRewrite",
        "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
    }


async def test_a_namesakes_leftovers_never_make_a_service_ready() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.available()
        await world.accepted()
        world.api.remove(INFERENCE_SERVICE, "raw-foo")
        await world.rests()
        await world.applied(isvc())
        found, deployment = world.condition("PredictorReady"), world.peek(DEPLOYMENT, NAME)
        for resource, name in ((DEPLOYMENT, NAME), (SERVICE, NAME), (HTTP_ROUTE, NAME), (HTTP_ROUTE, "raw-foo")):
            world.api.remove(resource, name)
        await world.rests()
        again = world.peek(DEPLOYMENT, NAME)
    assert (found["status"], found["reason"]) == ("False", "ReconcileFailed")
    assert "belongs to InferenceService raw-foo" in str(found["message"])
    assert text_at(deployment, "metadata", "uid") != text_at(again, "metadata", "uid")


async def test_a_renamed_predictor_leaves_no_old_objects_behind() -> None:
    async with serving() as world:
        await world.applied(isvc())
        await world.applied(isvc(predictor={"name": "v2"}))
        assert world.exists(DEPLOYMENT, "raw-foo-v2-predictor")
        assert not world.exists(DEPLOYMENT, NAME)
        assert not world.exists(SERVICE, NAME)
        assert world.exists(HTTP_ROUTE, NAME)


async def test_a_predictor_that_serves_goes_on_until_the_renamed_one_is_available() -> None:
    def backend(name: str) -> Json:
        return first(first(world.peek(HTTP_ROUTE, name), "spec", "rules"), "backendRefs")["name"]

    serves: JsonObject = {"availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]}
    async with serving() as world:
        await world.applied(isvc())
        await world.says(DEPLOYMENT, NAME, serves)
        await world.applied(isvc(predictor={"name": "v2"}))
        meanwhile = [backend(name) for name in ("raw-foo", NAME)]
        assert [world.exists(kind, NAME) for kind in (DEPLOYMENT, SERVICE)] == [True, True]
        await world.says(DEPLOYMENT, "raw-foo-v2-predictor", serves)
        after = [backend(name) for name in ("raw-foo", NAME)]
        assert [world.exists(kind, NAME) for kind in (DEPLOYMENT, SERVICE)] == [False, False]
    assert (meanwhile, after) == ([NAME] * 2, ["raw-foo-v2-predictor"] * 2)
