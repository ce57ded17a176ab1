import msgspec

from inferplane.resources.discovery import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from inferplane.resources.meta import ObjectMeta


def test_a_slice_names_its_service_by_label() -> None:
    labelled = EndpointSlice(metadata=ObjectMeta(labels={"kubernetes.io/service-name": "iris"}))
    assert (labelled.service, EndpointSlice().service) == ("iris", "")


def test_conditions_are_written_in_full() -> None:
    body = msgspec.to_builtins(
        EndpointSlice(
            endpoints=[Endpoint(addresses=["127.1.0.2"], conditions=EndpointConditions(ready=False, terminating=True))],
            ports=[EndpointPort(port=8080)],
        )
    )
    assert body["endpoints"][0]["conditions"] == {"ready": False, "serving": True, "terminating": True}
    assert body["ports"] == [{"port": 8080}]
