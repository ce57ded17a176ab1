import json

import numpy as np
import pytest
from bench import answers, cases
from bench.cases import GATEWAY, Load
from bench.models import IRIS, PICTURE
from bench.runs import first_cases, turns

from inferplane.inference.grpc import grpc_predict_v2_pb2 as pb


def test_a_frame_is_a_byte_for_no_compression_and_the_length() -> None:
    assert cases.framed(b"abc") == b"\x00\x00\x00\x00\x03abc"


def test_the_binary_request_says_where_its_json_ends_and_how_long_the_tensor_is() -> None:
    request = cases.v2_binary(PICTURE)
    head = int(request.headers["Inference-Header-Content-Length"])
    (tensor,) = json.loads(request.body[:head])["inputs"]
    assert tensor["parameters"]["binary_data_size"] == len(request.body) - head == 602112
    assert np.array_equal(np.frombuffer(request.body[head:], "<f4"), PICTURE.tensor.ravel())


@pytest.mark.parametrize("raw", [True, False])
def test_the_grpc_request_has_the_same_values_raw_and_typed(raw: bool) -> None:
    message = pb.ModelInferRequest.FromString(cases.grpc(IRIS, raw=raw).body[5:])
    values = np.frombuffer(message.raw_input_contents[0]) if raw else message.inputs[0].contents.fp64_contents
    assert list(values) == IRIS.tensor.ravel().tolist()


def test_json_bodies_have_the_values_exactly() -> None:
    (tensor,) = json.loads(cases.v2(PICTURE).body)["inputs"]
    assert np.array_equal(np.array(tensor["data"], np.float32), PICTURE.tensor.ravel())


def test_a_server_without_the_protocols_path_is_asked_at_its_own() -> None:
    assert cases.V1_JSON.request_to("mosec").path == "/inference"
    assert cases.V1_JSON.request_to("kserve").path == "/v1/models/iris:predict"


def test_servers_that_are_compared_take_their_turns_one_after_the_other() -> None:
    found = [(load.connections, name) for _, load, name in turns([cases.V2_JSON])]
    assert found[:5] == [(1, "inferplane"), (1, "kserve"), (1, "mlserver"), (1, "triton"), (16, "inferplane")]


def test_a_server_is_asked_the_first_case_that_it_takes_part_in_when_it_starts() -> None:
    first = first_cases(cases.FULL)
    assert first["mosec"] is first[GATEWAY] is cases.V1_JSON
    assert first["triton"] is cases.V2_JSON


def test_a_load_is_written_as_connections_and_streams() -> None:
    assert (str(Load(16)), str(Load(8, 4))) == ("16", "8 × 4")


@pytest.mark.parametrize(
    ("body", "head"),
    [
        (b'{"predictions":[1,2]}', None),
        (b'{"outputs":[{"name":"o","datatype":"INT64","shape":[2,1],"data":[[1],[2]]}]}', None),
    ],
)
def test_values_of_v1_and_v2_answers_are_flat(body: bytes, head: int | None) -> None:
    assert answers.values_of(body, head).tolist() == [1, 2]


def test_values_of_a_binary_answer_come_from_behind_its_json() -> None:
    head = b'{"outputs":[{"name":"o","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}}]}'
    assert answers.values_of(head + np.array([1, 2], "<f4").tobytes(), len(head)).tolist() == [1, 2]


@pytest.mark.parametrize("body", [b'{"error":"no"}', b"[]", b"{", b'{"outputs":[]}'])
def test_what_is_no_answer_is_wrong(body: bytes) -> None:
    with pytest.raises(answers.Wrong, match="not an answer"):
        answers.values_of(body, None)
