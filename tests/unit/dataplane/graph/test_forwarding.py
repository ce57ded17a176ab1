"""G25: which headers go on to the steps."""

import pytest

from inferplane.dataplane.graph.forwarding import Propagation, patterns

HEADERS = {
    "host": "a",
    "content-length": "3",
    "content-type": "text/x",
    "accept-encoding": "gzip",
    "authorization": "Bearer t",
    "intuit_tid": "7",
    "x-b3-traceid": "1",
    "x-b3-spanid": "2",
    "traceparent": "00-1",
    "x-request-id": "r",
}
ALWAYS = {"traceparent", "x-request-id"}


def gone_on(*given: str) -> set[str]:
    lines = Propagation(given).of(HEADERS).lines.decode().splitlines()
    return {line.partition(":")[0] for line in lines} - ALWAYS


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ([], set()),
        (["Authorization"], {"authorization"}),
        (["authorization"], set()),
        (["Authorization", "Intuit_tid"], {"authorization", "intuit_tid"}),
        (["X-B3-.*"], {"x-b3-traceid", "x-b3-spanid"}),
        (["B3", "X-B3-Traceid"], {"x-b3-traceid", "x-b3-spanid"}),
        (["^B3"], set()),
        (["*Trace-Id*", "Auth"], {"authorization"}),
        ([".*"], {"authorization", "intuit_tid", "x-b3-traceid", "x-b3-spanid"}),
    ],
    ids=["none", "one", "case", "many", "pattern", "twice", "anchored", "invalid beside valid", "all"],
)
def test_g25_patterns_choose_by_the_canonical_name(given: list[str], names: set[str]) -> None:
    assert gone_on(*given) == names


def test_g25_an_invalid_pattern_is_told_of() -> None:
    assert Propagation(["*Id", "x"]).invalid == {"*Id": "nothing to repeat at position 0"}


def test_the_trace_and_the_requests_id_always_go_on() -> None:
    assert Propagation().of(HEADERS).lines == b"traceparent: 00-1\r\nx-request-id: r\r\n"


def test_the_clients_content_type_goes_on_where_a_pattern_finds_it() -> None:
    assert Propagation(["Content-Type"]).of(HEADERS).content_type == b"text/x"
    assert Propagation(["X-.*"]).of(HEADERS).content_type == b""


def test_the_variable_separates_patterns_by_commas() -> None:
    assert patterns("Authorization,Intuit_tid") == ["Authorization", "Intuit_tid"]
    assert patterns(None) == patterns("") == []
