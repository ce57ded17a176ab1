"""A real Envoy in front of a model server, configured by the gateway's controllers from objects in memory."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
from tests.e2e.gateway_under_test import Platform, running, until

from inferplane.client.kubernetes.kinds import ENDPOINT_SLICE, SERVICE
from inferplane.kernel.json import Json, JsonObject

HOST = "echo-default.localhost"
INFERENCE = r"^/inference\.GRPCInferenceService/.*$"


@asynccontextmanager
async def behind_envoy(http: int, grpc_port: int | None = None, *, bridge: bool = True) -> AsyncIterator[Platform]:
    """The server's ports as a Service has them: 80, and 8081 with appProtocol h2c when there is a `grpc_port`."""
    async with running() as platform:
        await _service(platform, http, grpc_port, bridge)
        await platform.route("echo", [HOST], *_rules(grpc_port is not None))
        await until(lambda: platform.condition("echo", "Programmed")[0] == "True")
        yield platform


def channel(platform: Platform) -> grpc.aio.Channel:
    options = [("grpc.default_authority", f"{HOST}:{platform.port}"), ("grpc.max_receive_message_length", -1)]
    return grpc.aio.insecure_channel(f"127.0.0.1:{platform.port}", options=options)


async def _service(platform: Platform, http: int, grpc_port: int | None, bridge: bool) -> None:
    ports: list[Json] = [{"name": "http", "port": 80}]
    if grpc_port is not None:
        ports.append({"name": "grpc", "port": 8081, "appProtocol": "kubernetes.io/h2c"})
    annotations: JsonObject = {"inferplane.dev/grpc-bridge": "true"} if bridge else {}
    body: JsonObject = {"metadata": {"name": "echo", "annotations": annotations}, "spec": {"ports": ports}}
    await platform.api.apply(SERVICE, body, "default", manager="t")
    numbers = [("http", http), ("grpc", grpc_port)]
    slices: JsonObject = {
        "metadata": {"name": "echo-0", "labels": {"kubernetes.io/service-name": "echo"}},
        "addressType": "IPv4",
        "ports": [{"name": name, "port": port} for name, port in numbers if port is not None],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
    }
    await platform.api.apply(ENDPOINT_SLICE, slices, "default", manager="t")


def _rules(both_ports: bool) -> Sequence[JsonObject]:
    """As the InferenceService controller writes them."""
    everything = _rule({"path": {"type": "RegularExpression", "value": "^/.*$"}}, 80)
    if not both_ports:
        return [everything]
    calls: JsonObject = {
        "path": {"type": "RegularExpression", "value": INFERENCE},
        "headers": [{"type": "RegularExpression", "name": "content-type", "value": "^application/grpc.*"}],
    }
    return [_rule(calls, 8081), everything]


def _rule(match: JsonObject, port: int) -> JsonObject:
    timeouts: JsonObject = {"request": "60s"}
    return {"matches": [match], "backendRefs": [{"name": "echo", "port": port}], "timeouts": timeouts}
