"""A gRPC probe: one `grpc.health.v1.Health/Check`, with a kubelet's texts for what can come of it.

Imported with the first such probe: gRPC takes some 20 MB. It runs on threads of its own, because gRPC's asyncio side
starts a poller that outlives the loop.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # published without types

_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="grpc-probe")
# A channel for each attempt: one that was refused is tried again at gRPC's own pace otherwise.
_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.primary_user_agent", "kube-probe/inferplane"),
)


async def failure(address: str, service: str, timeout: float) -> str:
    """Why the check failed; "" when the service is SERVING. `address` is HOST:PORT, `timeout` in seconds."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _check, address, service, timeout)


def _check(address: str, service: str, timeout: float) -> str:
    try:
        with grpc.insecure_channel(address, options=_OPTIONS) as channel:
            request = health_pb2.HealthCheckRequest(service=service)
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout)
    except grpc.RpcError as error:
        return _words(error.code(), error.details() or "", address, timeout)
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return "" if status == "SERVING" else f'service unhealthy (responded with "{status}")'


def _words(code: grpc.StatusCode, details: str, address: str, timeout: float) -> str:
    match code:
        case grpc.StatusCode.UNIMPLEMENTED:
            return f"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {details}"
        case grpc.StatusCode.DEADLINE_EXCEEDED | grpc.StatusCode.UNAVAILABLE:
            return f'timeout: failed to connect service "{address}" within {timeout:g}s: {details}'
        case _:
            return f"error: health rpc failed: {details or code.name}"
