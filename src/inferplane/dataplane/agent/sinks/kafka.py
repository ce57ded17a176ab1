"""Events to a Kafka topic, `kafka://HOST:PORT[,HOST:PORT…]/TOPIC`, by CloudEvents' Kafka binding.

A message's key is the event's id, so a request and its response come to one partition, in order. The query may say
`security_protocol` and `sasl_mechanism`; user and password are in the environment (`KAFKA_USERNAME`, `KAFKA_PASSWORD`),
authorities in the logger's own flag.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from inferplane.dataplane.agent.events import STRUCTURED, Event, structured
from inferplane.dataplane.agent.settings import ContentMode, LoggerSettings
from inferplane.dataplane.agent.sinks.sink import Batch, Refused, Unavailable, WrongSink
from inferplane.dataplane.agent.sinks.tls import trusting

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

_TOGETHER = 500
_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Topic:
    servers: str
    name: str
    protocol: str
    mechanism: str


def topic(url: str) -> Topic:
    """Raises WrongSink."""
    parts = urlsplit(url)
    name = parts.path.strip("/")
    if not parts.netloc or not name or "/" in name:
        raise WrongSink(f"{url}: expected kafka://HOST:PORT/TOPIC")
    asked = dict(parse_qsl(parts.query))
    return Topic(parts.netloc, name, asked.get("security_protocol", ""), asked.get("sasl_mechanism", "PLAIN"))


class KafkaSink:
    """One producer, connected when the first events come."""

    senders = 1

    def __init__(self, url: str, settings: LoggerSettings, environ: Mapping[str, str]) -> None:
        self._topic = topic(url)
        self.name = f"kafka://{self._topic.servers}/{self._topic.name}"
        size = settings.store.batch_size
        self.batch = Batch(size, max(size, _TOGETHER), settings.store.batch_interval)
        self._structured = settings.content_mode is not ContentMode.BINARY
        self._security = _security(self._topic, settings, environ)
        self._producer: AIOKafkaProducer | None = None

    async def send(self, events: Sequence[Event]) -> None:
        from aiokafka.errors import KafkaError

        try:
            producer = await self._started()
            sent = [await producer.send(self._topic.name, **self._message(event)) for event in events]
            async with asyncio.timeout(_TIMEOUT):
                await asyncio.gather(*sent)
        except KafkaError as error:
            words = f"{type(error).__name__}: {error}"
            # A message that is too large, or a topic that one may not write to, is so again.
            raise (Unavailable(words) if error.retriable else Refused(words)) from error
        except (OSError, TimeoutError) as error:
            raise Unavailable(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _started(self) -> "AIOKafkaProducer":
        from aiokafka import AIOKafkaProducer
        from aiokafka.errors import KafkaConnectionError

        if self._producer is None:
            made = AIOKafkaProducer(
                bootstrap_servers=self._topic.servers.split(","),
                client_id="inferplane",
                acks="all",
                enable_idempotence=True,
                linger_ms=0,
                request_timeout_ms=int(_TIMEOUT * 1000),
                **self._security,
            )
            try:
                await made.start()
            except KafkaConnectionError as error:
                await made.stop()
                raise Unavailable(str(error)) from error
            self._producer = made
        return self._producer

    def _message(self, event: Event) -> "dict[str, bytes | list[tuple[str, bytes]]]":
        if self._structured:
            headers = [("content-type", STRUCTURED.encode())]
            return {"key": event.id.encode(), "value": structured(event), "headers": headers}
        headers = [(f"ce_{name}", str(value).encode()) for name, value in event.attributes.items() if name != _KIND]
        if _KIND in event.attributes:
            headers.append(("content-type", str(event.attributes[_KIND]).encode()))
        return {"key": event.id.encode(), "value": event.data, "headers": headers}


_KIND = "datacontenttype"


def _security(topic: Topic, settings: LoggerSettings, environ: Mapping[str, str]) -> dict[str, str | ssl.SSLContext]:
    user = environ.get("KAFKA_USERNAME", "")
    protocol = topic.protocol.upper() or ("SASL_SSL" if user else "PLAINTEXT")
    found: dict[str, str | ssl.SSLContext] = {"security_protocol": protocol}
    if protocol.endswith("SSL"):
        found["ssl_context"] = trusting(settings)
    if protocol.startswith("SASL"):
        found["sasl_mechanism"] = topic.mechanism
        found["sasl_plain_username"] = user
        found["sasl_plain_password"] = environ.get("KAFKA_PASSWORD", "")
    return found
