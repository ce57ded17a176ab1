"""Routes in, what to look for out; what the gateway saw in, lines of a file out."""

import gzip

import pytest
from envoy.data.tap.v3 import wrapper_pb2
from google.protobuf.json_format import MessageToJson

from inferplane.cli.recording.traces import Documents, LeftOut, Subject, lines
from inferplane.cli.recording.ways import PROBE, Way, asked, ways
from inferplane.cli.replay.records import Exchange, exchange, index
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.gateway import HTTPPathMatch, HTTPRoute, HTTPRouteMatch, HTTPRouteRule, HTTPRouteSpec

BY_HOST = Way("iris-default.localhost")
BY_PATH = Way("localhost", "/serving/default/iris")
IRIS = Subject("iris", "default", [BY_HOST, BY_PATH])
PATH = "/v1/models/iris:predict"
BODY = b'{"instances": [[1, 2]]}'


def route(host: str, kind: str, value: str) -> HTTPRoute:
    match = HTTPRouteMatch(path=HTTPPathMatch(type=kind, value=value))
    return HTTPRoute(spec=HTTPRouteSpec(hostnames=[host], rules=[HTTPRouteRule(matches=[match])]))


def test_requests_come_in_by_host_and_by_path() -> None:
    # Of a host of its own every path is the service's, whatever a rule says of some.
    by_host = route(BY_HOST.host, "PathPrefix", "/v2/models/iris")
    assert ways([by_host], route("localhost", "PathPrefix", BY_PATH.prefix)) == [BY_HOST, BY_PATH]
    assert ways([by_host], None) == [BY_HOST]


def test_only_posts_to_the_service_are_asked_for() -> None:
    tap = asked([BY_HOST, BY_PATH], "requests", 1024)["tap_config"]
    assert isinstance(tap, dict)
    probe = headers_match({"name": PROBE, "present_match": True})
    by_host = [header(":method", "exact", "POST"), header(":authority", "exact", BY_HOST.host)]
    by_path = [
        header(":method", "exact", "POST"),
        header(":authority", "exact", "localhost"),
        header(":path", "prefix", BY_PATH.prefix + "/"),
    ]
    rules = [probe, *(headers_match(*one) for one in (by_host, by_path))]
    assert tap["match"] == {"or_match": {"rules": rules}}


def headers_match(*headers: Json) -> JsonObject:
    return {"http_request_headers_match": {"headers": [*headers]}}


def header(name: str, how: str, value: str) -> JsonObject:
    return {"name": name, "string_match": {how: value}}


def test_documents_are_cut_where_they_end_however_the_bytes_come() -> None:
    stream = b'{\n "a": {\n  "b": "}\\n"\n }\n}\n{\n "c": 1\n}\n{\n "cut'
    found = Documents()
    whole = [b'{\n "a": {\n  "b": "}\\n"\n }\n}', b'{\n "c": 1\n}']
    assert [one for byte in stream for one in found.feed(bytes([byte]))] == whole
    assert list(Documents().feed(stream)) == whole


class Seen:
    """An exchange as the gateway saw it."""

    def __init__(self, path: str = PATH, host: str = BY_HOST.host, body: bytes = BODY, **headers: str) -> None:
        self.trace = wrapper_pb2.TraceWrapper()
        http = self.trace.http_buffered_trace
        self._put(http.request, {":method": "POST", ":authority": host, ":path": path, **_typed(headers)}, body)
        http.request.headers_received_time.FromJsonString("2026-11-24T00:00:00.000100Z")
        self.answer(b'{"predictions": [1]}')

    def answer(self, body: bytes, status: str = "200", **headers: str) -> "Seen":
        answer = self.trace.http_buffered_trace.response
        answer.Clear()
        self._put(answer, {":status": status, **_typed(headers)}, body)
        answer.headers_received_time.FromJsonString("2026-11-24T00:00:00.002600Z")
        return self

    def _put(self, message: object, headers: dict[str, str], body: bytes) -> None:
        assert hasattr(message, "headers")
        for key, value in headers.items():
            message.headers.add(key=key, value=value)
        assert hasattr(message, "body")
        message.body.as_bytes = body

    @property
    def document(self) -> bytes:
        return MessageToJson(self.trace, preserving_proto_field_name=True).encode()

    def read(self) -> Exchange:
        made = lines(self.document, IRIS, "id")
        request, response = made.splitlines(keepends=True)
        [entry] = index([request, response], "f").entries
        return exchange(entry, request, response)


def _typed(headers: dict[str, str]) -> dict[str, str]:
    return {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}


def test_an_exchange_becomes_a_request_and_its_answer() -> None:
    found = Seen().read()
    assert (found.method, found.path, found.body) == ("POST", PATH, BODY)
    assert found.answer is not None
    assert (found.answer.status, found.answer.body) == (200, b'{"predictions": [1]}')
    assert found.answer.seconds == pytest.approx(0.0025)


def test_the_path_is_the_model_servers() -> None:
    assert Seen(BY_PATH.prefix + PATH, "localhost").read().path == PATH
    assert Seen(PATH, "localhost").read().path == PATH


def test_credentials_do_not_reach_the_file() -> None:
    made = lines(Seen(authorization="Bearer secret", cookie="c=1").document, IRIS, "id")
    assert b"secret" not in made
    assert b"cookie" not in made


def test_compressed_bodies_are_kept_as_what_they_say() -> None:
    seen = Seen(body=gzip.compress(BODY), content_encoding="gzip").answer(gzip.compress(b"{}"), content_encoding="gzip")
    found = seen.read()
    assert (found.body, found.answer and found.answer.body) == (BODY, b"{}")


def test_binary_tensors_keep_the_length_of_their_json() -> None:
    seen = Seen(body=b"{}\x00\x01", content_type="application/octet-stream", inference_header_content_length="2")
    assert (seen.read().json_length, seen.read().body) == (2, b"{}\x00\x01")


def test_json_that_curl_calls_a_form_is_json() -> None:
    found = Seen(content_type="application/x-www-form-urlencoded").read()
    assert (found.content_type, found.body) == ("application/json", BODY)


def test_what_cannot_be_kept_whole_is_left_out() -> None:
    cut = Seen()
    cut.trace.http_buffered_trace.request.body.truncated = True
    for seen, why in (
        (cut, "larger"),
        (Seen(content_encoding="br"), "coded as br"),
        (Seen(content_encoding="gzip"), "is not"),
    ):
        with pytest.raises(LeftOut, match=why):
            lines(seen.document, IRIS, "id")


def test_administration_probes_and_clients_that_went_away_are_not_recorded() -> None:
    gone = Seen()
    gone.trace.http_buffered_trace.response.Clear()
    assert lines(gone.document, IRIS, "id") == b""
    assert lines(Seen(inferplane_record="1").document, IRIS, "id") == b""
    assert lines(Seen("/v2/repository/models/iris/load").document, IRIS, "id") == b""


def framed(message: bytes) -> bytes:
    return b"\x00" + len(message).to_bytes(4, "big") + message


def test_of_a_call_over_grpc_the_messages_are_kept() -> None:
    seen = Seen("/inference.GRPCInferenceService/ModelInfer", body=framed(b"asked"), content_type="application/grpc")
    found = seen.answer(framed(b"said"), content_type="application/grpc").read()
    assert (found.body, found.answer and found.answer.body) == (b"asked", b"said")


def test_a_stream_over_grpc_is_left_out() -> None:
    body = framed(b"one") + framed(b"two")
    seen = Seen("/inference.GRPCInferenceService/ModelStreamInfer", body=body, content_type="application/grpc")
    with pytest.raises(LeftOut, match="expected one message, got a stream"):
        lines(seen.document, IRIS, "id")


def test_a_failed_call_over_grpc_is_no_success() -> None:
    seen = Seen("/inference.GRPCInferenceService/ModelInfer", body=framed(b"asked"), content_type="application/grpc")
    seen.answer(b"", content_type="application/grpc")
    seen.trace.http_buffered_trace.response.trailers.add(key="grpc-status", value="5")
    found = seen.read()
    assert found.answer is not None
    assert found.answer.status == 500
