"""V2 over REST, the client's half: what an answer off the wire becomes."""

import orjson

from inferplane.inference import v2_client


def test_a_member_whose_name_has_a_nul_in_it_is_read() -> None:
    body = orjson.dumps(
        {
            "model_name": "m",
            "id\0x": 1,
            "id": "7",
            "outputs": [{"name": "y", "shape": [2], "datatype": "INT32", "data": [1, 2], "z\0": []}],
        }
    )
    answer = v2_client.read_response(body, len(body))
    assert answer.id == "7"
    assert answer.outputs[0].as_numpy().tolist() == [1, 2]
