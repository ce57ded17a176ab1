import gzip

import pytest

from inferplane.dataplane.server.grpc.lane import TooLarge, unzipped
from inferplane.dataplane.server.grpc.paths import is_call
from inferplane.dataplane.server.grpc.service import requested_model
from inferplane.dataplane.server.grpc.timeout import seconds
from inferplane.dataplane.server.grpc.versions import UnknownVersion, check
from inferplane.inference.errors import Malformed
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferRequest


def test_a_zipped_message_is_read_up_to_the_limit() -> None:
    zipped = gzip.compress(bytes(1000))
    assert unzipped(zipped, 1000) == bytes(1000)
    with pytest.raises(TooLarge, match="999 bytes"):
        unzipped(zipped, 999)


@pytest.mark.parametrize("name", ["m", "é" * 40, "long" * 100, ""])
def test_the_model_of_a_request_is_found_without_reading_it_whole(name: str) -> None:
    message = ModelInferRequest(model_name=name, id="i", raw_input_contents=[bytes(100)])
    assert requested_model(message.SerializeToString()) == name


def test_the_model_is_found_though_it_is_not_the_first_field() -> None:
    body = ModelInferRequest(id="i").SerializeToString() + ModelInferRequest(model_name="m").SerializeToString()
    assert requested_model(body) == "m"


@pytest.mark.parametrize("body", [b"\x0a\x01\xff", b"\x0a\x7f", b"\xff"])
def test_what_is_no_message_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        requested_model(body)


def test_a_model_has_one_version() -> None:
    check("m", None)
    check("m", "")
    check("m", "1")
    with pytest.raises(UnknownVersion, match="Model with name m has no version 2"):
        check("m", "2")


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("/inference.GRPCInferenceService/ModelInfer", True),
        ("/grpc.health.v1.Health/Check", True),
        ("/grpc.health.v1.Health/Watch", False),
        ("/v2/models/m/infer", False),
    ],
)
def test_paths_of_calls_are_known(path: str, call: bool) -> None:
    assert is_call(path) is call


@pytest.mark.parametrize(
    ("timeout", "found"),
    [
        ("100m", 0.1),
        ("2S", 2.0),
        ("1M", 60.0),
        ("1H", 3600.0),
        ("5000000u", 5.0),
        ("1", None),
        ("-1S", None),
        ("", None),
    ],
)
def test_a_timeout_is_read(timeout: str, found: float | None) -> None:
    assert seconds(timeout) == (None if found is None else pytest.approx(found))
