"""What users hold → requests, answers → what users hold."""

import numpy as np
import pytest

from inferplane.client.inference import errors, values
from inferplane.inference.errors import InvalidInput


def test_arrays_of_numbers_travel_as_bytes_and_ask_for_bytes() -> None:
    request = values.request("m", {"x": np.zeros(2, dtype=np.float32)})
    assert request.inputs[0].parameters == {"binary_data_size": 8}
    assert request.parameters == {"binary_data_output": True}


def test_lists_and_text_travel_as_json() -> None:
    request = values.request("m", {"x": [1.5], "t": np.array(["a"])})
    assert [tensor.raw_data for tensor in request.inputs] == [None, None]
    assert request.parameters is None


def test_the_user_decides_when_asked() -> None:
    assert values.request("m", {"x": np.zeros(2)}, binary_data=False).inputs[0].raw_data is None
    assert values.request("m", {"x": ["a"]}, binary_data=True).inputs[0].raw_data == b"\1\0\0\0a"


def test_an_array_that_has_no_datatype_is_refused_with_its_name() -> None:
    with pytest.raises(InvalidInput, match=r"^input x: numpy's complex128 has no datatype in the protocol: convert it"):
        values.request("m", {"x": np.array([1j])})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.RequestRefused),
        (401, errors.NotAuthorized),
        (404, errors.NoSuchModel),
        (413, errors.RequestRefused),
        (422, errors.RequestRefused),
        (429, errors.NotReady),
        (500, errors.ServerFailed),
        (501, errors.ServerFailed),
        (503, errors.NotReady),
    ],
)
def test_every_status_has_its_exception(status: int, kind: type[errors.Refused]) -> None:
    assert type(errors.refused("u", status, b'{"error": "no"}', {})) is kind


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error": "no"}', "no"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"detail": [{"msg": "x"}]}', '[{"msg":"x"}]'),
        (b"upstream connect\nerror", "upstream connect error"),
        (b"", "status 503 with an empty body"),
    ],
)
def test_the_reason_is_the_servers_own(body: bytes, reason: str) -> None:
    assert errors.refused("u", 503, body, {"retry-after": "2"}).reason == reason


def test_how_long_to_wait_is_kept() -> None:
    assert errors.refused("u", 503, b"", {"retry-after": "2"}).retry_after == 2.0
    assert errors.refused("u", 503, b"", {"retry-after": "Mon, 01 Jan"}).retry_after is None
