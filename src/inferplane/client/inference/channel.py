"""V2 over gRPC: the calls of the service on a channel, with serializers, TLS and retries. Sync and async alike.

Method names and messages are enough to call a service; no generated stub is needed.
"""

import json
from collections.abc import Sequence
from typing import TypeAlias

import grpc
from google.protobuf.message import Message

from inferplane.inference.grpc import grpc_predict_v2_pb2 as messages

SERVICE = "/inference.GRPCInferenceService/"
Options: TypeAlias = list[tuple[str, object]]

UNARY: dict[str, tuple[type[Message], type[Message]]] = {
    "ModelInfer": (messages.ModelInferRequest, messages.ModelInferResponse),
    "ModelReady": (messages.ModelReadyRequest, messages.ModelReadyResponse),
    "ModelMetadata": (messages.ModelMetadataRequest, messages.ModelMetadataResponse),
    "ServerLive": (messages.ServerLiveRequest, messages.ServerLiveResponse),
    "ServerReady": (messages.ServerReadyRequest, messages.ServerReadyResponse),
    "ServerMetadata": (messages.ServerMetadataRequest, messages.ServerMetadataResponse),
}


def address(url: str, *, secure: bool) -> str:
    """`host[:port]`, 80 or 443 when there is no port, as KServe has it."""
    return url if ":" in url else f"{url}:{443 if secure else 80}"


def options(given: Sequence[tuple[str, object]] | None, retries: int | None) -> Options:
    """Channel options. Without any of the user's own messages may have any size. UNAVAILABLE is tried again."""
    chosen: Options = (
        [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        if given is None
        else [(name, value) for name, value in given]
    )
    named = {name for name, _ in chosen}
    # gRPC wants two attempts at least and cuts more than five down itself.
    if not retries or retries < 2 or ("grpc.enable_retries", 0) in chosen:
        return chosen
    if "grpc.enable_retries" not in named:
        chosen.append(("grpc.enable_retries", 1))
    if "grpc.service_config" not in named:
        chosen.append(("grpc.service_config", _service_config(retries)))
    return chosen


def _service_config(attempts: int) -> str:
    policy = {
        "maxAttempts": attempts,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": policy}]})


def credentials(
    root_certificates: str | None, private_key: str | None, certificate_chain: str | None
) -> grpc.ChannelCredentials:
    """From PEM files; without a root the system's."""
    return grpc.ssl_channel_credentials(_read(root_certificates), _read(private_key), _read(certificate_chain))


def _read(path: str | None) -> bytes | None:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()
