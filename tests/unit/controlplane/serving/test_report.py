"""URLs of the status, beyond what the conformance scenarios show."""

import pytest
from tests.unit.controlplane.serving.made import MAIN, entry, isvc, runtime

from inferplane.controlplane.serving.plan import Runtimes, plan
from inferplane.controlplane.serving.report import Observed, report
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.apps import Deployment, DeploymentCondition, DeploymentStatus
from inferplane.resources.gateway import HTTPRoute, HTTPRouteStatus, ParentReference, RouteParentStatus
from inferplane.resources.meta import ConditionStatus
from inferplane.resources.serving.config import Config, Ingress, parse
from inferplane.resources.serving.inferenceservice import InferenceServiceStatus

TRUE = ConditionStatus.TRUE
TAKEN = HTTPRoute(
    status=HTTPRouteStatus(
        parents=[RouteParentStatus(parent_ref=ParentReference(name="g"), controller_name="c", conditions=[])]
    )
)


def ready(config: Config, *ports: JsonObject) -> InferenceServiceStatus:
    """Of a service that is ready, whose container has these ports."""
    container: JsonObject = MAIN | {"ports": [*ports]}
    service = isvc({"sklearn": {"storageUri": "s3://b/m"}})
    todo = plan(service, config, Runtimes(cluster=[runtime("rt", entry(), containers=[container])]))
    available = DeploymentStatus(conditions=[DeploymentCondition(type="Available", status=TRUE)])
    seen = Observed(
        deployments={"iris-predictor": Deployment(status=available)},
        routes=dict.fromkeys(("iris", "iris-predictor", "iris-path"), TAKEN),
    )
    return report(todo, seen, "2026-01-01T00:00:00Z")


def test_the_scheme_is_that_of_the_url_and_never_of_the_address() -> None:
    found = ready(Config(ingress=Ingress(url_scheme="https", ingress_domain="example.com")))
    assert found.address is not None
    assert (found.url, found.address.url) == (
        "https://iris-ml.example.com",
        "http://iris-predictor.ml.svc.cluster.local",
    )
    assert found.components["predictor"].url == "http://iris-predictor-ml.example.com"


def port(number: int, name: str = "", **more: Json) -> JsonObject:
    return {"containerPort": number, **({"name": name} if name else {}), **more}


@pytest.mark.parametrize(
    ("ports", "reached"),
    [
        ([], 8080),
        ([port(8888)], 8888),
        ([port(9000, "h2c"), port(8081, "http1")], 8081),
        ([port(9000, "grpc-port"), port(8081, "http1"), port(8082, "metrics")], 8081),
        ([port(9000, "h2c")], 8080),
    ],
)
def test_a_headless_service_is_reached_at_its_first_port_that_is_not_grpc(
    ports: list[JsonObject], reached: int
) -> None:
    found = ready(parse({"service": '{"serviceClusterIPNone": true}'}), *ports).address
    assert found is not None
    assert found.url == f"http://iris-predictor.ml.svc.cluster.local:{reached}"
