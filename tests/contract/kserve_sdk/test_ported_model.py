"""One file of models, on the `kserve` package's server and, with its imports changed, on ours: the same answers.

Where ours differs on purpose the difference is named: a client's mistake is a 4xx here, not a 500.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.kserve_sdk.both import AUTHORED, Answer, Served, kserve_python, ported, serving

TENSOR = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1, 2]}
WORD = {"name": "x", "shape": [1], "datatype": "BYTES"}

Request = tuple[str, str, bytes | None, dict[str, str]]
Pair = tuple[Served, Served]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """(KServe's, ours)."""
    directory = tmp_path_factory.mktemp("ported")
    source = AUTHORED.read_text()
    original, changed = directory / "original.py", directory / "changed.py"
    original.write_text(source)
    changed.write_text(ported(source))
    flags = ("--model_name=iris", "--greeting=good day")
    with (
        serving(kserve_python(), original, *flags, workdir=directory) as theirs,
        serving(Path(sys.executable), changed, *flags, workdir=directory) as ours,
    ):
        yield theirs, ours


def get(path: str) -> Request:
    return ("GET", path, None, {})


def v1(model: str, body: object, verb: str = "predict", **headers: str) -> Request:
    return ("POST", f"/v1/models/{model}:{verb}", _body(body), {"content-type": "application/json", **headers})


def v2(model: str, *inputs: object, **more: object) -> Request:
    return infer(model, {"inputs": inputs, **more})


def infer(model: str, body: object) -> Request:
    return ("POST", f"/v2/models/{model}/infer", _body(body), {"content-type": "application/json"})


def _body(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


SAME: dict[str, Request] = {
    "liveness": get("/"),
    "V1 models": get("/v1/models"),
    "V2 models": get("/v2/models"),
    "V2 readiness": get("/v2/health/ready"),
    "a model is ready": get("/v1/models/iris"),
    "a model that did not load is left out": get("/v1/models/unready"),
    "no such model": get("/v1/models/no"),
    "metadata": get("/v2/models/iris"),
    "metadata that nobody gave": get("/v2/models/hooked"),
    "metadata of no model": get("/v2/models/no"),
    "V2 readiness of a model": get("/v2/models/iris/ready"),
    "V2 readiness of no model": get("/v2/models/no/ready"),
    "two rows": v1("iris", {"instances": [[1, 2], [3, 4]]}),
    "rows as inputs": v1("iris", {"inputs": [[1, 2]]}),
    "instances that are no list": v1("iris", {"instances": "x"}),
    "too many columns": v1("iris", {"instances": [[1, 2, 3]]}),
    "broken JSON": v1("iris", b"{"),
    "no body": v1("iris", b""),
    "NaN": v1("iris", b'{"instances":[NaN]}'),
    "explain": v1("iris", {"instances": [[1, 2]]}, "explain"),
    "explain without an explainer": v1("hooked", {"instances": [[1, 2]]}, "explain"),
    "predict without a predictor": v1("default", {"instances": []}),
    "predict of no model": v1("no", {"instances": []}),
    "predict of a model that is not ready": v1("unready", {"instances": []}),
    "sync and async hooks, headers in and out": v1("hooked", {"instances": [1, 2]}, **{"X-Custom": "c"}),
    "an own __call__": v1("whole", {"instances": [1, 2]}),
    "an own __call__ explains": v1("whole", {"instances": [1, 2]}, "explain"),
    "bytes in": ("POST", "/v1/models/answers:predict", b"csv,row", {"content-type": "text/csv"}),
    "V2": v2("iris", TENSOR, id="7"),
    "V2 without an id": v2("iris", TENSOR),
    "V2 nested data": v2("iris", {**TENSOR, "data": [[1, 2]]}, id="7"),
    "V2 of no model": v2("no", TENSOR),
    "V2 of a model that is not ready": v2("unready", TENSOR),
    "V2 parameters": v2(
        "hooked", {**TENSOR, "parameters": {"a": 1}}, id="7", parameters={"p": "q", "n": 1.5, "b": True}
    ),
    "V2 two outputs": v2("selecting", TENSOR, id="7"),
    "V2 one output asked for": v2("selecting", TENSOR, id="7", outputs=[{"name": "names"}]),
    "V2 an output that there is not": v2("selecting", TENSOR, id="7", outputs=[{"name": "zz"}]),
    "load of a ready model": ("POST", "/v2/repository/models/iris/load", b"", {}),
    "unload of no model": ("POST", "/v2/repository/models/no/unload", b"", {}),
    **{
        f"V1 an author raises {kind}": v1("failing", {"instances": [kind]})
        for kind in ("invalid", "inference", "status", "key", "value", "unready", "missing")
    },
    **{
        f"V2 an author raises {kind}": v2("failing", {**WORD, "data": [kind]})
        for kind in ("invalid", "inference", "status", "key", "value", "unready", "missing")
    },
    **{
        f"an author answers with {kind}": v1("answers", {"instances": [kind]})
        for kind in ("bytes", "text", "numpy", "nan", "list", "stream")
    },
}

# What is asked, KServe's status, ours.
DIFFERENT: dict[str, tuple[Request, int, int]] = {
    "ragged rows": (v1("iris", {"instances": [[1, 2], [3]]}), 500, 400),
    "no rows": (v1("iris", {}), 500, 400),
    "a list for a body": (v1("iris", [1]), 500, 400),
    "V2 data that does not fill the shape": (v2("iris", {**TENSOR, "shape": [3, 2]}), 500, 400),
    "V2 no inputs": (v2("iris"), 500, 400),
    "load of no model": (("POST", "/v2/repository/models/no/load", b"", {}), 503, 404),
}

# The status is the same; our body says more: `error` beside `detail`, the field, what would be right.
CLEARER: dict[str, Request] = {
    "no such path": get("/nowhere"),
    "V2 inputs missing": infer("iris", {"id": "7"}),
    "V2 broken JSON": infer("iris", b"{"),
    "V2 no such datatype": v2("iris", {**TENSOR, "datatype": "NOPE"}),
}


@pytest.mark.parametrize("case", SAME)
def test_the_answers_are_the_same(both: Pair, case: str) -> None:
    theirs, ours = (served.ask(*SAME[case]) for served in both)
    assert facts(ours) == facts(theirs)


@pytest.mark.parametrize("case", DIFFERENT)
def test_a_clients_mistake_is_told_as_one(both: Pair, case: str) -> None:
    request, their_status, our_status = DIFFERENT[case]
    theirs, ours = (served.ask(*request) for served in both)
    assert (theirs.status, ours.status) == (their_status, our_status)
    assert json.loads(ours.body)["error"]


@pytest.mark.parametrize("case", CLEARER)
def test_an_error_says_more_under_the_same_status(both: Pair, case: str) -> None:
    theirs, ours = (served.ask(*CLEARER[case]) for served in both)
    assert ours.status == theirs.status >= 400
    assert json.loads(ours.body)["error"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"outputs": [{"name": "names", "parameters": {"binary_data": True}}]},
        {"parameters": {"binary_data_output": True}},
    ],
)
def test_binary_outputs_are_the_same_bytes_and_ours_say_what_they_are(both: Pair, wanted: dict[str, object]) -> None:
    theirs, ours = (served.ask(*v2("selecting", TENSOR, id="7", **wanted)) for served in both)
    length = "inference-header-content-length"
    assert (ours.status, ours.body, ours.headers[length]) == (200, theirs.body, theirs.headers[length])
    assert ("content-type" in theirs.headers, ours.headers["content-type"]) == (False, "application/octet-stream")


def test_a_model_that_is_unloaded_is_gone(both: Pair) -> None:
    for served in both:
        assert served.ask("POST", "/v2/repository/models/selecting/unload", b"").status == 200
    theirs, ours = (served.ask(*get("/v1/models/selecting")) for served in both)
    assert facts(ours) == facts(theirs)
    assert ours.status == 404


def test_workers_share_the_port_the_metrics_and_what_is_unloaded(tmp_path: Path) -> None:
    changed = tmp_path / "changed.py"
    changed.write_text(ported(AUTHORED.read_text()))
    with serving(Path(sys.executable), changed, "--model_name=iris", "--workers=2", workdir=tmp_path) as served:
        answers = [served.ask(*v1("iris", {"instances": [[1, 2]]})) for _ in range(8)]
        assert {(answer.status, answer.body) for answer in answers} == {(200, b'{"predictions":[21.0]}')}
        counted = 'inferplane_requests_total{code="200",model_name="iris",protocol="v1"} 8.0'
        assert counted in served.ask("GET", "/metrics").body.decode()
        assert served.ask("POST", "/v2/repository/models/iris/unload", b"").status == 200
        assert {served.ask("GET", "/v1/models/iris").status for _ in range(8)} == {404}
        assert served.ask("POST", "/v2/repository/models/no/load", b"").status == 404


def facts(answer: Answer) -> dict[str, object]:
    """What a client can rely on. An id that the server made up is only known to be one."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = answer.body
    if isinstance(body, dict) and isinstance(body.get("id"), str) and len(body["id"]) == 36:
        body["id"] = "a UUID"
    own = {name: value for name, value in answer.headers.items() if name in ("content-type", *AUTHORS)}
    return {"status": answer.status, "headers": own, "body": body}


AUTHORS = ("prediction-time-latency", "x-kind", "x-post", "x-whole")
"""Headers that the models set."""
