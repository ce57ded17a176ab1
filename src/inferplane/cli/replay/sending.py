"""A recorded exchange → the call that asks it of another model. Pure.

Paths keep their verb and get the model's name. Records that have no path (KServe's own logger tells none) go where
their body belongs; calls over gRPC are asked over REST, which carries the same tensors.
"""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from inferplane.cli.prediction import path_of, protocol_of
from inferplane.cli.replay import grpc_records
from inferplane.cli.replay.paths import GRPC, model_of, with_model
from inferplane.cli.replay.records import Exchange, RecordError
from inferplane.client.inference.calls import JSON_LENGTH, Call, infer
from inferplane.kernel.json import Json


@dataclass(frozen=True, slots=True)
class Models:
    """Of the target: a request for one that it has goes there, any other to `chosen` (empty: as recorded)."""

    known: Collection[str]
    chosen: str

    def named(self, recorded: str) -> str:
        return recorded if recorded in self.known or not self.chosen else self.chosen


def call_of(exchange: Exchange, models: Models) -> Call:
    """Raises RecordError for what cannot be sent again."""
    if exchange.path.startswith(GRPC):
        request = grpc_records.request_of(exchange)
        request.model_name = models.named(request.model_name)
        return infer(request)
    headers = {"content-type": exchange.content_type}
    if exchange.json_length is not None:
        headers[JSON_LENGTH] = str(exchange.json_length)
    return Call(exchange.method, _path(exchange, models), exchange.body, headers)


def _path(exchange: Exchange, models: Models) -> str:
    if not exchange.path:
        return path_of(_protocol(exchange), models.chosen)
    return with_model(exchange.path, models.named(model_of(exchange.path)))


def _protocol(exchange: Exchange) -> str:
    if exchange.json_length is not None:
        return "v2"
    try:
        body: Json = msgspec.json.decode(exchange.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"line {exchange.line}: neither a path nor JSON, from which it could be told") from error
    return protocol_of(body)
