"""What wrk 4.1 and h2load 1.52 print, as numbers."""

from pathlib import Path

import pytest
from bench import h2load, wrk
from bench.cases import Request
from bench.figures import Round

WRK = """Running 2s test @ http://127.0.0.1:1/v1/models/iris:predict
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms  310.00us   9.11ms   91.00%
    Req/Sec    15.72k     1.10k   17.00k    75.00%
  Latency Distribution
     50%  915.00us
     75%    1.06ms
     90%    1.30ms
     99%    2.20ms
  31284 requests in 2.00s, 5.13MB read
Requests/sec:  15638.21
Transfer/sec:      2.56MB
"""

H2LOAD = """
finished in 2.00s, 2151.50 req/s, 212.77KB/s
requests: 4303 total, 4335 started, 4303 done, 4303 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 4303 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 425.55KB (435759) total, 13.19KB (13509) headers (space savings 96.12%), 239.52KB (245271) data
"""
LOG = ["1795447401599884\t200\t1500", "1795447401599886\t200\t3805", "1795447401599886\t200\t4294"]


def test_wrk_rate_and_latencies_are_read_whatever_their_units() -> None:
    assert wrk.read(WRK, "URL") == Round(rate=15638.21, p50=0.915, p99=2.2, requests=31284)


def test_wrk_latencies_of_seconds_are_milliseconds() -> None:
    assert wrk.read(WRK.replace("2.20ms", "1.07s"), "URL").p99 == 1070


@pytest.mark.parametrize(
    "complaint", ["  Non-2xx or 3xx responses: 7", "  Socket errors: connect 0, read 3, write 0, timeout 1"]
)
def test_a_round_of_wrk_with_errors_is_no_measurement(complaint: str) -> None:
    with pytest.raises(wrk.Failed, match=complaint.strip()):
        wrk.read(f"{WRK}{complaint}\n", "URL")


def test_no_answer_at_all_is_no_measurement() -> None:
    with pytest.raises(wrk.Failed, match="nothing that can be read"):
        wrk.read(WRK.replace("15638.21", "0.00"), "URL")


def test_wrk_is_told_the_host_of_a_service_behind_a_gateway() -> None:
    script = wrk.script_for(Path("body"), Request("/p", b"", {"Content-Type": "a/b"}), host="iris.example")
    assert 'wrk.headers["Host"] = "iris.example"' in script
    assert 'wrk.headers["Content-Type"] = "a/b"' in script


def test_h2load_percentiles_come_from_its_log() -> None:
    assert h2load.read(H2LOAD, LOG, 57, "URL") == Round(rate=2151.5, p50=3.805, p99=4.294, requests=4303)


def test_answers_under_way_when_h2load_ends_may_have_brought_their_data() -> None:
    more = H2LOAD.replace("245271", str(4335 * 57))
    assert h2load.read(more, LOG, 57, "URL").requests == 4303


@pytest.mark.parametrize("data", [0, 4302 * 57, 4336 * 57])
def test_calls_whose_answers_have_another_length_had_an_error_behind_their_200(data: int) -> None:
    with pytest.raises(wrk.Failed, match="some calls had an error"):
        h2load.read(H2LOAD.replace("245271", str(data)), LOG, 57, "URL")


def test_calls_that_h2load_saw_fail_are_no_measurement() -> None:
    with pytest.raises(wrk.Failed, match="3 of 4303 calls failed"):
        h2load.read(H2LOAD.replace("4303 succeeded", "4300 succeeded"), LOG, 57, "URL")
