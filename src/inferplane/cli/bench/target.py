"""What is to be loaded: a service's name or a URL, and options → an endpoint, a model, a request."""

import ssl
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit

from inferplane.cli.bench import payload
from inferplane.cli.bench.http_load import HttpTarget
from inferplane.cli.bench.payload import wire
from inferplane.cli.prediction import protocol_of, read_body, target
from inferplane.cli.session import Session
from inferplane.client.inference import calls
from inferplane.client.inference.calls import Call
from inferplane.client.inference.sync import Client
from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE
from inferplane.inference import v2
from inferplane.inference.tensors import InferRequest
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import text_at


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go: `host` is the Host header when it is not the URL's own."""

    url: str
    host: str
    model: str


async def place(session: Session, name: str, namespace: str | None, model: str | None, host: str) -> Place:
    """A URL is taken as it is; a name is a service of the platform."""
    if "://" in name:
        return Place(name, host, model or "")
    async with session.api() as api:
        service = await api.get(INFERENCE_SERVICE, name, session.namespace(namespace))
    url = text_at(service, "status", "url")
    if not url:
        raise InferplaneError(f"inferenceservice/{name} has no URL yet", fix=f"see why: inferplane why {name}")
    platform = None if session.foreign else session.platform()
    to = target(url, "", platform.gateway if platform else "")
    return Place(to.connect_to or url, host or to.host, model or name)


def named(place: Place, client: Client) -> Place:
    """With the model's name, asked of the server when the user did not say it."""
    if place.model:
        return place
    names = client.models()
    if len(names) != 1:
        have = ", ".join(names) or "none"
        raise InferplaneError(f"{place.url} has these models: {have}", fix="choose one with --model")
    return Place(place.url, place.host, names[0])


@dataclass(frozen=True, slots=True)
class Request:
    """`protocol` as the user may name it. `message` for gRPC, `call` for everything else."""

    protocol: str
    call: Call
    message: bytes


def request(client: Client, model: str, protocol: str | None, data: str | None, batch: int) -> Request:
    """The user's body, or one made up from the model's metadata."""
    if data is None:
        chosen = protocol or "v2"
        tensors = payload.inputs(client.metadata(model), batch)
        if chosen == "grpc":
            return _grpc(payload.request(chosen, model, tensors))
        return Request(chosen, payload.call(chosen, model, tensors), b"")
    raw, value = read_body(data, sys.stdin.buffer.read() if data == "-" else None)
    chosen = protocol or protocol_of(value)
    if chosen == "v1":
        return Request(chosen, Call("POST", calls.predict(model, {}).path, raw, calls.JSON), b"")
    asked = v2.read(raw, model)
    if chosen == "grpc":
        return _grpc(asked)
    if chosen == "v2":
        return Request(chosen, Call("POST", calls.infer(asked).path, raw, calls.JSON), b"")
    arrays = {tensor.name: tensor.as_numpy() for tensor in asked.inputs}
    return Request(chosen, payload.call(chosen, model, arrays), b"")


def _grpc(asked: InferRequest) -> Request:
    return Request("grpc", Call("POST", ""), asked.to_grpc().SerializeToString())


def http_target(place: Place, call: Call) -> HttpTarget:
    parts = urlsplit(place.url)
    secure = parts.scheme == "https"
    host = place.host or parts.netloc
    return HttpTarget(
        parts.hostname or "",
        parts.port or (443 if secure else 80),
        ssl.create_default_context() if secure else None,
        host.partition(":")[0],
        wire(call, parts.path.rstrip("/") + call.path, host),
    )
