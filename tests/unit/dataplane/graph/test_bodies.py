"""Bodies are handed on as they came; what is put together is put together from the bytes that came."""

import pytest

from inferplane.dataplane.graph.bodies import INVALID, Message, as_request, is_object, merged, part
from inferplane.resources.gjson import parse

V2 = b'{"model_name":"m","outputs":[{"name":"y","shape":[1],"datatype":"FP32","data":[0.10]}]}'


@pytest.mark.parametrize(
    ("answer", "request_body"),
    [
        (b'{"predictions":[1.0, 2.50],"x":1}', b'{"instances":[1.0, 2.50]}'),
        (b'{"predictions":[]}', b'{"predictions":[]}'),
        (b'{"predictions":[ ]}', b'{"predictions":[ ]}'),
        (b'{"predictions":{"a":1}}', b'{"predictions":{"a":1}}'),
        (b'{"other":[1]}', b'{"other":[1]}'),
        (b"not json", b"not json"),
        (b"\xff", b"\xff"),
        (b"[1]", b"[1]"),
        (V2, b'{"inputs":[{"name":"y","shape":[1],"datatype":"FP32","data":[0.10]}]}'),
    ],
)
def test_an_answer_as_a_request(answer: bytes, request_body: bytes) -> None:
    assert as_request(Message(answer)).body == request_body


def test_binary_tensors_are_not_looked_into() -> None:
    message = Message(b'{"outputs":[1]}\x00\x01', 15)
    assert as_request(message) is message


def test_a_condition_looks_at_the_json_before_binary_tensors() -> None:
    message = Message(b'{"a":1}\x00\xff', 7)
    assert message.holds(parse("a"))
    assert not is_object(message)


def test_what_is_no_json_holds_nothing() -> None:
    message = Message(b"\x00")
    assert message.document() is INVALID
    assert not message.holds(parse("@this"))
    assert part(message, parse("a")) is None


def test_a_merge_keeps_every_byte_of_the_answers() -> None:
    numbers = b'{"big":12345678901234567890,"small":1.10}'
    assert merged({'na"me': Message(numbers), "1": Message(b"{}\n")}).body == b'{"na\\"me":%b,"1":{}}' % numbers
