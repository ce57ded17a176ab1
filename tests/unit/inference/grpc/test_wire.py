import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.inference.grpc.wire import varint, without


@pytest.mark.parametrize(("number", "encoded"), [(0, "00"), (127, "7f"), (128, "8001"), (602112, "80e024")])
def test_a_length_is_written_as_protobuf_writes_it(number: int, encoded: str) -> None:
    assert varint(number).hex() == encoded


def test_fields_are_taken_out_and_the_others_kept_in_their_order() -> None:
    body = bytes.fromhex("0a0161 3a0178 120162 3a0279 7a")
    parts = without(body, 7)
    assert parts is not None
    assert (parts[0].hex(), [bytes(raw) for raw in parts[1]]) == ("0a0161120162", [b"x", b"yz"])


@pytest.mark.parametrize("body", ["08 01", "0a 05 61", "0a", "ff"])
def test_a_message_of_another_form_is_left_to_protobuf(body: str) -> None:
    assert without(bytes.fromhex(body), 7) is None


@given(st.binary())
def test_any_bytes_are_taken_apart_or_left(body: bytes) -> None:
    parts = without(body, 7)
    assert parts is None or len(parts[0]) <= len(body)
