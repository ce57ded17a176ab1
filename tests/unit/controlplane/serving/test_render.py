"""Services, routes and metadata beyond what the reconcile tests show."""

import msgspec
import pytest
from tests.unit.controlplane.serving.made import MAIN, runtime

from inferplane.controlplane.serving import components, render, routes
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.config import Config, Defaults, Deploy, Ingress, RollingUpdate, RolloutStrategy
from inferplane.resources.serving.inferenceservice import InferenceService, InferenceServiceSpec
from inferplane.resources.serving.runtime import ServingRuntime
from inferplane.resources.serving.templates import TemplateError

PREDICTOR: JsonObject = {"model": {"modelFormat": {"name": "sklearn"}}}
STORED: JsonObject = {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "file:///m"}}


def isvc(predictor: JsonObject | None = None, **meta: dict[str, str]) -> InferenceService:
    labels, annotations = meta.get("labels", {}), meta.get("annotations", {})
    metadata = ObjectMeta(name="iris", namespace="ml", uid="u1", labels=labels, annotations=annotations)
    return InferenceService(metadata=metadata, spec={"predictor": PREDICTOR | (predictor or {})})


def made(service: InferenceService, rt: ServingRuntime | None = None, config: Config | None = None) -> list[JsonObject]:
    """Deployment, Service, routes."""
    spec, config = msgspec.convert(service.spec, InferenceServiceSpec), config or Config()
    component = components.predictor(service, spec.predictor, rt or runtime(), config)
    deployment, predictor, *_ = (one.body for one in render.component(service, component, config))
    ports = [one for one in list_at(predictor, "spec", "ports") if isinstance(one, dict)]
    ways = routes.Ways(routes.Way(((component.name, 1),), ports))
    return [deployment, predictor, *(one.body for one in render.ingress(service, ways, config))]


def with_ports(*ports: JsonObject) -> ServingRuntime:
    return runtime(containers=[MAIN | {"ports": [*ports]}])


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([], [("iris-predictor", 80, 8080, "")]),
        ([{"containerPort": 9000}], [("iris-predictor", 80, 9000, "")]),
        ([{"containerPort": 9000, "name": "h2c"}], [("h2c", 80, 9000, "kubernetes.io/h2c")]),
        (
            [{"containerPort": 8080, "name": "http1"}, {"containerPort": 9000, "name": "grpc-port"}],
            [("http1", 80, 8080, ""), ("grpc-port", 9000, 9000, "kubernetes.io/h2c")],
        ),
        ([{"containerPort": 1}, {"containerPort": 2}], [("iris-predictor", 80, 1, ""), ("port-2", 2, 2, "")]),
    ],
)
def test_ports_of_the_service(ports: list[JsonObject], expected: list[tuple[str, int, int, str]]) -> None:
    service = made(isvc(STORED), with_ports(*ports))[1]
    found = [one for one in list_at(service, "spec", "ports") if isinstance(one, dict)]
    assert [(one["name"], one["port"], one["targetPort"], text_at(one, "appProtocol")) for one in found] == expected


def test_a_service_with_both_protocols_gets_a_rule_for_each() -> None:
    rest: JsonObject = {"containerPort": 8080, "name": "http1"}
    grpc: JsonObject = {"containerPort": 9000, "name": "grpc"}
    route = made(isvc(), with_ports(rest, grpc))[2]
    rules = [one for one in list_at(route, "spec", "rules") if isinstance(one, dict)]
    found = [
        (object_at(match, "path")["value"], list_at(match, "headers"), backend["port"])
        for rule in rules
        for match in list_at(rule, "matches")
        for backend in list_at(rule, "backendRefs")
        if isinstance(match, dict) and isinstance(backend, dict)
    ]
    header = {"type": "RegularExpression", "name": "content-type", "value": "^application/grpc.*"}
    assert found == [(r"^/inference\.GRPCInferenceService/.*$", [header], 9000), ("^/.*$", [], 80)]


def test_labels_and_annotations_of_later_sources_win() -> None:
    rt = runtime(labels={"a": "rt", "b": "rt", "c": "rt"}, annotations={"a": "rt", "b": "rt", "c": "rt"})
    own: JsonObject = {"labels": {"c": "own", "component": "mine"}, "annotations": {"c": "own"}}
    service = isvc(own, labels={"b": "isvc", "c": "isvc"}, annotations={"b": "isvc", "c": "isvc"})
    meta = object_at(made(service, rt)[0], "metadata")
    assert meta["labels"] == {
        "a": "rt",
        "b": "isvc",
        "c": "own",
        "component": "predictor",
        "serving.kserve.io/inferenceservice": "iris",
        "app": "isvc.iris-predictor",
    }
    assert meta["annotations"] == {"a": "rt", "b": "isvc", "c": "own"}


def test_what_is_meant_for_the_service_alone_stays_off_its_children() -> None:
    kept_off = {
        "autoscaling.knative.dev/min-scale": "1",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "modelFormat": "sklearn",
        "mine": "1",
    }
    config = Config(inference_service=Defaults(service_annotation_disallowed_list=["mine"]))
    service = isvc(annotations=kept_off | {"kept": "1"}, labels={"networking.knative.dev/visibility": "x", "l": "1"})
    deployment, _, route, *_ = made(service, config=config)
    assert object_at(deployment, "metadata", "annotations") == {"kept": "1"}
    assert object_at(route, "metadata", "annotations") == {"kept": "1"}
    assert object_at(route, "metadata", "labels") == {"l": "1"}


def test_every_object_is_owned_by_the_service() -> None:
    owner = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "name": "iris",
        "uid": "u1",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    objects = made(isvc())
    assert [text_at(one, "kind") for one in objects] == ["Deployment", "Service", "HTTPRoute", "HTTPRoute", "HTTPRoute"]
    assert all(object_at(one, "metadata")["ownerReferences"] == [owner] for one in objects)


def test_a_probe_of_the_runtimes_own_stays_and_the_others_knock_on_the_first_port() -> None:
    probe: JsonObject = {"httpGet": {"path": "/ready", "port": 1}}
    own = runtime(containers=[MAIN | {"readinessProbe": probe}])
    found = [
        list_at(made(isvc(), rt)[0], "spec", "template", "spec", "containers")[0]
        for rt in (own, with_ports({"containerPort": 9}))
    ]
    assert [object_at(one, "readinessProbe") for one in found if isinstance(one, dict)] == [
        probe,
        {
            "tcpSocket": {"port": 9},
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
    ]


@pytest.mark.parametrize(
    ("service", "config"),
    [
        (isvc(labels={"networking.kserve.io/visibility": "cluster-local"}), Ingress()),
        (isvc(), Ingress(ingress_domain="svc.cluster.local")),
        (isvc(), Ingress(disable_ingress_creation=True)),
    ],
)
def test_an_internal_service_has_no_routes(service: InferenceService, config: Ingress) -> None:
    assert len(made(service, config=Config(ingress=config))) == 2


def test_timeouts_can_be_left_out() -> None:
    route = made(isvc(), config=Config(ingress=Ingress(disable_http_route_timeout=True)))[2]
    assert all("timeouts" not in one for one in list_at(route, "spec", "rules") if isinstance(one, dict))


def test_hosts_that_are_none_and_unknown_fields_are_errors_that_show_the_template() -> None:
    with pytest.raises(routes.InvalidHost, match="makes 'iris_ml'"):
        routes.host(isvc(), "iris", Ingress(domain_template="{{ .Name }}_{{ .Namespace }}"))
    with pytest.raises(TemplateError, match=r"no field \.Domain"):
        routes.host(isvc(), "iris", Ingress(domain_template="{{ .Domain }}"))


def test_additional_domains_that_repeat_are_named_once() -> None:
    config = Ingress(additional_ingress_domains=["localhost", "example.com"])
    route = made(isvc(), config=Config(ingress=config))[3]
    assert object_at(route, "spec")["hostnames"] == ["iris-ml.localhost", "iris-ml.example.com"]


@pytest.mark.parametrize(
    ("scheme", "port", "url"),
    [
        ("http", None, "http://h"),
        ("http", 80, "http://h"),
        ("http", 8080, "http://h:8080"),
        ("https", 443, "https://h"),
        ("https", 8443, "https://h:8443"),
    ],
)
def test_the_port_is_shown_when_it_is_not_the_schemes_own(scheme: str, port: int | None, url: str) -> None:
    assert routes.url(scheme, "h", port) == url


def test_the_initializers_user_and_the_nodes_of_an_accelerator_come_from_annotations() -> None:
    annotations = {"serving.kserve.io/storage-initializer-uid": "1337", "serving.kserve.io/gke-accelerator": "t4"}
    model = object_at(PREDICTOR, "model") | {"storageUri": "s3://b/m"}
    gpu: JsonObject = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    with_gpu, without = (
        object_at(made(isvc({"model": model | more}, annotations=annotations))[0], "spec", "template", "spec")
        for more in (gpu, {})
    )
    [initializer] = list_at(with_gpu, "initContainers")
    assert isinstance(initializer, dict)
    assert initializer["securityContext"] == {"runAsUser": 1337}
    assert with_gpu["nodeSelector"] == {"cloud.google.com/gke-accelerator": "t4"}
    assert "nodeSelector" not in without


@pytest.mark.parametrize(("default", "surge"), [("Standard", "0"), ("RawDeployment", "0"), ("Knative", "25%")])
def test_how_pods_are_replaced_comes_from_the_configuration_of_standard_mode(default: str, surge: str) -> None:
    rollout = RolloutStrategy(default_rollout=RollingUpdate(max_surge="0", max_unavailable="1"))
    config = Config(deploy=Deploy(default_deployment_mode=default, deployment_rollout_strategy=rollout))
    strategy = object_at(made(isvc(), config=config)[0], "spec", "strategy")
    assert object_at(strategy, "rollingUpdate")["maxSurge"] == surge
