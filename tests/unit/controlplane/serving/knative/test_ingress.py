"""The port of the revisions' Services that the way in leads to."""

import msgspec
import pytest

from inferplane.controlplane.serving.knative.ingress import Target, objects
from inferplane.kernel.json import list_at
from inferplane.resources.knative import TrafficTarget
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.inferenceservice import InferenceService

ISVC = msgspec.convert({"metadata": {"name": "iris", "namespace": "default"}}, InferenceService)
TRAFFIC = [TrafficTarget(revision_name="iris-predictor-00001", percent=100, latest_revision=True)]


@pytest.mark.parametrize(("h2c", "port"), [(False, 80), (True, 81)])
def test_a_server_that_takes_grpc_alone_is_reached_on_knatives_port_for_it(h2c: bool, port: int) -> None:
    target = Target("iris-predictor", "http://iris-predictor.default.example.com", TRAFFIC, h2c=h2c)
    config = msgspec.structs.replace(
        Config(), ingress=msgspec.structs.replace(Config().ingress, enable_gateway_api=True)
    )
    ports = {
        backend["port"]
        for made in objects(ISVC, {"predictor": target}, config)
        for rule in list_at(made.body, "spec", "rules")
        if isinstance(rule, dict)
        for backend in list_at(rule, "backendRefs")
        if isinstance(backend, dict)
    }
    assert ports == {port}
