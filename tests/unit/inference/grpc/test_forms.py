"""Filled-in messages read and answered together give what protobuf gives each of them, or are left to it."""

from collections.abc import Sequence

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import assume, given
from hypothesis import strategies as st

from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.errors import InferenceFailure
from inferplane.inference.forms import Filled, stacked
from inferplane.inference.grpc import forms, requests, responses
from inferplane.inference.grpc.forms import MessageForms
from inferplane.inference.grpc.grpc_predict_v2_pb2 import InferParameter, ModelInferRequest
from inferplane.inference.tensors import Array, InferInput, InferOutput, InferRequest, InferResponse

FLOATS = [Datatype.FP32, Datatype.FP64]
MEMORY = [kind for kind in Datatype if kind not in (Datatype.BYTES, Datatype.BOOL, Datatype.FP16, Datatype.BF16)]


def message(values: Array, datatype: str = "FP64", own_id: str | None = None, *, raw: bool = False) -> bytes:
    return requests.write(InferRequest("m", [InferInput.decoded("x", datatype, values)], own_id), raw=raw)


def seen(known: MessageForms, body: bytes) -> Filled | None:
    """As the server does: what is not known is decoded, and known from then on."""
    if (found := known.read(body)) is not None:
        return found
    known.remember(body, requests.read(body))
    return known.read(body)


def told(request: InferRequest) -> object:
    tensors = [(one.name, one.datatype, one.view().dtype, one.view().tolist()) for one in request.inputs]
    return request.use_binary_outputs, tensors


@st.composite
def tables(draw: st.DrawFn) -> tuple[Datatype, bool, list[Array]]:
    """The rows of several requests, all of one width."""
    raw = draw(st.booleans())
    datatype = draw(st.sampled_from(MEMORY if raw else FLOATS))
    width = draw(st.integers(1, 3))
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    rows = [draw(st.lists(st.integers(0, 255), min_size=size * width, max_size=size * width)) for size in sizes]
    dtype = NUMPY[datatype]
    return datatype, raw, [np.array(one, np.uint8).astype(dtype).reshape(-1, width) for one in rows]


@given(tables(), st.lists(st.text("abc-9", max_size=4), min_size=4, max_size=4))
def test_messages_read_together_are_those_of_protobuf(
    table: tuple[Datatype, bool, list[Array]], ids: list[str]
) -> None:
    datatype, raw, requested = table
    known = MessageForms()
    bodies = [message(rows, datatype, ids[number], raw=raw) for number, rows in enumerate(requested)]
    filled = [one for one in (seen(known, body) for body in bodies) if one is not None]
    assert len(filled) == len(bodies)
    together = stacked(filled)
    assert together is not None
    assert together.dtype == NUMPY[datatype]
    assert together.flags.writeable
    assert np.array_equal(together, np.concatenate(requested))
    assert [one.rows for one in filled] == [len(rows) for rows in requested]
    assert [one.id.decode() for one in filled] == ids[: len(filled)]
    for one, rows, body in zip(filled, requested, bodies, strict=True):
        payload = one.form.payload(rows, "m")
        assert isinstance(payload, InferRequest)
        assert told(payload) == told(requests.from_message(requests.parsed(body)))


@given(st.data())
def test_a_message_that_was_tampered_with_is_left_to_protobuf_or_read_alike(data: st.DataObject) -> None:
    known = MessageForms()
    raw = data.draw(st.booleans())
    good = message(np.ones((1, 2)), own_id=data.draw(st.sampled_from([None, "i", "i2"])), raw=raw)
    assert seen(known, good) is not None
    body = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    found = known.read(bytes(body))
    assume(found is not None)
    assert found is not None
    try:
        expected = requests.from_message(ModelInferRequest.FromString(bytes(body)))
    except (DecodeError, InferenceFailure) as error:
        raise AssertionError(f"protobuf refuses what was read as {found}") from error
    numbers = stacked([found])
    assert numbers is not None
    assert numbers.tobytes() == expected.inputs[0].view().tobytes()
    assert found.id.decode() == (expected.id or "")


def test_a_form_is_known_after_it_was_seen_once_whatever_the_numbers_and_the_id() -> None:
    known = MessageForms()
    assert known.read(message(np.ones((2, 4)))) is None
    assert seen(known, message(np.ones((2, 4)))) is not None
    assert known.read(message(np.zeros((2, 4)), own_id="another")) is not None
    assert known.read(message(np.zeros((3, 4)))) is None
    assert len(known) == 1


def test_requests_of_unlike_forms_are_not_stacked() -> None:
    known = MessageForms()
    one = seen(known, message(np.ones((1, 2))))
    for other in (message(np.ones((1, 3))), message(np.ones((1, 2)), raw=True), message(np.ones((1, 2), "f4"), "FP32")):
        found = seen(known, other)
        assert one is not None
        assert found is not None
        assert stacked([one, found]) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.parameters.get_or_create("timeout").CopyFrom(InferParameter(int64_param=1)),
        lambda it: it.inputs[0].parameters.get_or_create("p").CopyFrom(InferParameter(bool_param=True)),
        lambda it: it.outputs.add(name="y"),
        lambda it: it.inputs.add().CopyFrom(it.inputs[0]),
        lambda it: setattr(it, "model_version", "1"),
        lambda it: setattr(it, "id", "ä"),
        lambda it: setattr(it, "id", "x" * 200),
        lambda it: setattr(it, "model_name", "m" * 200),
    ],
    ids=["parameter", "input's parameter", "outputs", "two inputs", "version", "id", "long id", "long name"],
)
def test_what_says_more_than_one_tensor_and_an_id_is_not_remembered(change: object) -> None:
    wanted = ModelInferRequest.FromString(message(np.ones((1, 2))))
    assert callable(change)
    change(wanted)
    assert seen(MessageForms(), wanted.SerializeToString()) is None


def test_fields_in_another_order_are_left_to_protobuf() -> None:
    body = message(np.ones((1, 2)), own_id="i")
    name, rest = body[:3], body[3:]
    known = MessageForms()
    assert requests.read(rest + name).model_name == "m"
    assert seen(known, rest + name) is None
    assert len(known) == 0


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4])
def test_a_message_that_breaks_off_is_left_to_protobuf(size: int) -> None:
    assert MessageForms().read(message(np.ones((1, 2)), own_id="i")[:size]) is None


def test_only_so_many_forms_are_kept() -> None:
    known = MessageForms()
    for rows in range(1, 300):
        body = message(np.ones((rows, 2), "f4"), "FP32")
        known.remember(body, requests.read(body))
    assert 0 < len(known) <= 256
    assert known.read(body) is not None


def test_large_messages_are_read_by_themselves() -> None:
    assert seen(MessageForms(), message(np.ones((1000, 2)))) is None


# Answers.


def alone(response: InferResponse, own_id: bytes, *, raw: bool) -> bytes:
    request = requests.read(message(np.ones((1, 1)), own_id=own_id.decode(), raw=raw))
    found = responses.pieces(response, response.outputs, request, "")
    return found if isinstance(found, bytes) else b"".join(found)


def response_of(columns: Sequence[tuple[str, Array]]) -> InferResponse:
    return InferResponse(None, "m", [InferOutput.decoded(name, kind, it) for kind, it in columns for name in ("y",)])


@pytest.mark.parametrize("raw", [False, True], ids=["typed", "raw"])
@pytest.mark.parametrize(
    "columns",
    [
        [("INT64", np.array([1, 0, 2, 1, 127]))],
        [("FP64", np.array([[0.1, 0.9], [0.5, 0.5], [1 / 3, 2 / 3], [1e-300, np.nan], [-0.0, np.inf]]))],
        [("FP32", np.ones((5, 2, 2), np.float32)), ("UINT8", np.arange(5, dtype=np.uint8))],
        [("BOOL", np.array([True, False, True, True, False]))],
    ],
    ids=["labels", "probabilities", "two outputs", "booleans"],
)
def test_answers_written_together_are_those_written_alone(columns: list[tuple[str, Array]], raw: bool) -> None:
    sizes, ids = [2, 1, 2], [b"a", b"b", b"c"]
    pieces = [[(kind, it[start:stop]) for kind, it in columns] for start, stop in ((0, 2), (2, 3), (3, 5))]
    expected = [alone(response_of(some), own_id, raw=raw) for some, own_id in zip(pieces, ids, strict=True)]
    assert forms.answers(response_of(columns), sizes, ids, raw=raw) == expected


@pytest.mark.parametrize(
    "response",
    [
        response_of([("INT64", np.array([1, 128]))]),
        response_of([("INT64", np.array([1, -1]))]),
        response_of([("FP16", np.ones(2, np.float16))]),
        response_of([("BYTES", np.array([b"a", b"b"], dtype=object))]),
        response_of([("FP64", np.array([1.0]))]),
        response_of([("FP64", np.zeros((2, 0)))]),
        InferResponse("own", "m", [InferOutput.decoded("y", "FP64", np.ones(2))]),
        InferResponse(None, "m", [InferOutput.decoded("y", "FP64", np.ones(2))], model_version="1"),
        InferResponse(None, "m", [InferOutput.decoded("y", "FP64", np.ones(2), {"p": 1})]),
        InferResponse(None, "m", [InferOutput.decoded("y", "FP64", np.ones(2))], parameters={"p": 1}),
    ],
    ids=["large", "negative", "FP16", "text", "too few", "none", "id", "version", "parameter", "parameters"],
)
def test_other_answers_are_written_alone(response: InferResponse) -> None:
    assert forms.answers(response, [1, 1], [b"a", b"b"], raw=False) is None
