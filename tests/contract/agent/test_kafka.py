"""Events to a Kafka broker: librdkafka's built-in one, read by its consumer, which is not the library that sends."""

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition

from inferplane.dataplane.agent.events import REQUEST, RESPONSE, Event
from inferplane.dataplane.agent.settings import ContentMode, LoggerSettings
from inferplane.dataplane.agent.sinks.choosing import sinks
from inferplane.dataplane.agent.sinks.kafka import topic
from inferplane.dataplane.agent.sinks.sink import Unavailable, WrongSink

LIMIT = 30.0


@contextmanager
def broker() -> Iterator[str]:
    """Its address. It lives as long as the producer that has made it."""
    owner = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1})
    metadata = owner.list_topics(timeout=LIMIT)
    [one] = metadata.brokers.values()
    yield f"{one.host}:{one.port}"
    owner.flush(0)


def received(address: str, name: str, number: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "auto.offset.reset": "earliest"})
    partitions = consumer.list_topics(name, timeout=LIMIT).topics[name].partitions
    # Without a group there is nobody to agree with on who reads what, which takes seconds.
    consumer.assign([TopicPartition(name, number, OFFSET_BEGINNING) for number in partitions])
    found: list[Message] = []
    try:
        while len(found) < number:
            message = consumer.poll(LIMIT)
            assert message is not None, "no message came"
            if message.error() is None:
                found.append(message)
    finally:
        consumer.close()
    return found


def event(kind: str) -> Event:
    about: dict[str, str | int | float] = {"id": "0123", "type": kind, "time": "t", "status": 200}
    return Event({**about, "datacontenttype": "application/json"}, b'{"a":1}')


async def send(url: str, mode: ContentMode, events: list[Event]) -> None:
    [sink] = sinks(LoggerSettings((url,), content_mode=mode), {})
    try:
        await sink.send(events)
    finally:
        await sink.close()


async def test_an_event_is_a_message_with_its_attributes_as_headers() -> None:
    with broker() as address:
        await send(f"kafka://{address}/events", ContentMode.BINARY, [event(REQUEST), event(RESPONSE)])
        first, second = received(address, "events", 2)
    assert (first.key(), first.value()) == (b"0123", b'{"a":1}')
    headers = dict(first.headers() or ())
    assert headers == {
        "ce_id": b"0123",
        "ce_type": REQUEST.encode(),
        "ce_time": b"t",
        "ce_status": b"200",
        "content-type": b"application/json",
    }
    # One key is one partition, so the two come in order.
    assert dict(second.headers() or ())["ce_type"] == RESPONSE.encode()


async def test_in_structured_mode_the_message_is_the_event() -> None:
    with broker() as address:
        await send(f"kafka://{address}/events", ContentMode.STRUCTURED, [event(REQUEST)])
        [message] = received(address, "events", 1)
    assert dict(message.headers() or ()) == {"content-type": b"application/cloudevents+json"}
    assert orjson.loads(message.value() or b"")["data"] == {"a": 1}


async def test_a_broker_that_is_not_there_is_tried_again() -> None:
    with pytest.raises(Unavailable):
        await send("kafka://127.0.0.1:1/events", ContentMode.BINARY, [event(REQUEST)])


def test_the_url_names_brokers_topic_and_how_to_reach_them() -> None:
    found = topic("kafka://a:9092,b:9092/events?security_protocol=SASL_SSL&sasl_mechanism=SCRAM-SHA-256")
    assert (found.servers, found.name) == ("a:9092,b:9092", "events")
    assert (found.protocol, found.mechanism) == ("SASL_SSL", "SCRAM-SHA-256")
    with pytest.raises(WrongSink, match="kafka://HOST:PORT/TOPIC"):
        topic("kafka://a:9092/")
