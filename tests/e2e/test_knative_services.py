"""Knative Services on a real platform: from the first revision to traffic by tags, and what does not get in its way."""

import json
import re
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from tests.e2e.whole import Whole, eventually, whole_platform

pytestmark = pytest.mark.e2e

SERVER = """
import http.server, os, urllib.request

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{os.environ['K_REVISION']} {os.environ['VERSION']}".encode()
        if self.path == "/peer":
            body = b"peer " + urllib.request.urlopen(os.environ["PEER"], timeout=30).read()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer((os.environ["POD_IP"], int(os.environ["PORT"])), Handler).serve_forever()
"""
HOST = "hello.default.localhost"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("knative") / "home") as started:
        yield started


def service(version: str, *traffic: Mapping[str, object], program: str = SERVER) -> str:
    container = {
        "image": "python",
        "command": ["python", "-c", program],
        "env": [
            {"name": "VERSION", "value": version},
            {"name": "PEER", "value": "http://hello.default.svc.cluster.local"},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
    }
    spec: dict[str, object] = {"template": {"spec": {"containers": [container]}}}
    if traffic:
        spec["traffic"] = list(traffic)
    body = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "hello"}, "spec": spec}
    return json.dumps(body)


def apply(platform: Whole, body: str) -> None:
    platform.kubectl("apply", "-f", "-", stdin=body)


def is_ready(platform: Whole) -> None:
    platform.kubectl("wait", "--for=condition=Ready", "ksvc/hello", "--timeout=60s")


def answer(platform: Whole, host: str = HOST, path: str = "/") -> tuple[int, str]:
    connection = HTTPConnection(urlsplit(platform.gateway).netloc, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": host})
        found = connection.getresponse()
        return found.status, found.read().decode()
    finally:
        connection.close()


def condition(platform: Whole, name: str, kind: str, field: str = "status") -> str:
    path = f"jsonpath={{.status.conditions[?(@.type=='{kind}')].{field}}}"
    return platform.kubectl("get", name, "-o", path)


def heads(platform: Whole) -> list[list[str]]:
    """The first line of each table that kubectl shows."""
    shown = platform.kubectl("get", "ksvc,configuration,revision,route,podautoscaler")
    return [block.splitlines()[0].split() for block in shown.split("\n\n")]


def row(platform: Whole, kind: str) -> list[str]:
    """The first one that kubectl shows of the kind."""
    return platform.kubectl("get", kind).splitlines()[1].split()


def test_a_service_lives_through_its_revisions(platform: Whole) -> None:
    apply(platform, service("one"))
    is_ready(platform)
    assert answer(platform) == (200, "hello-00001 one")
    eventually(lambda: row(platform, "revision") == ["hello-00001", "hello", "1", "True", "1", "1"], 60)
    # Events are written a little after what they tell of.
    eventually(lambda: 'Created Route "hello"' in platform.kubectl("describe", "ksvc/hello"), 60)
    described = platform.kubectl("describe", "ksvc/hello")
    assert re.search(r"Latest Ready Revision Name: +hello-00001", described)
    assert 'Created Configuration "hello"' in described
    assert heads(platform) == [
        ["NAME", "URL", "LATESTCREATED", "LATESTREADY", "READY", "REASON"],
        ["NAME", "LATESTCREATED", "LATESTREADY", "READY", "REASON"],
        ["NAME", "CONFIG", "NAME", "GENERATION", "READY", "REASON", "ACTUAL", "REPLICAS", "DESIRED", "REPLICAS"],
        ["NAME", "URL", "READY", "REASON"],
        ["NAME", "DESIREDSCALE", "ACTUALSCALE", "READY", "REASON"],
    ]

    apply(platform, service("two"))
    eventually(lambda: answer(platform) == (200, "hello-00002 two"), 60)
    is_ready(platform)
    assert answer(platform, path="/peer") == (200, "peer hello-00002 two")

    old = {"revisionName": "hello-00001", "percent": 50, "tag": "old"}
    new = {"latestRevision": True, "percent": 50, "tag": "new"}
    apply(platform, service("two", old, new))
    eventually(lambda: answer(platform, f"old-{HOST}") == (200, "hello-00001 one"), 60)
    eventually(lambda: answer(platform, f"new-{HOST}") == (200, "hello-00002 two"), 60)
    is_ready(platform)
    both = {answer(platform) for _ in range(60)}
    assert both == {(200, "hello-00001 one"), (200, "hello-00002 two")}

    wrong = {"latestRevision": True, "percent": 50}
    with pytest.raises(AssertionError, match="percents of all targets must be 100 together"):
        apply(platform, service("two", wrong))

    apply(platform, service("three", program="raise SystemExit(7)"))
    eventually(lambda: condition(platform, "ksvc/hello", "Ready") == "False", 60)
    assert condition(platform, "ksvc/hello", "Ready", "reason") == "RevisionFailed"
    assert condition(platform, "rev/hello-00003", "ContainerHealthy", "reason") == "ExitCode7"
    eventually(lambda: answer(platform) == (200, "hello-00002 two"), 60)

    platform.kubectl("delete", "ksvc/hello")
    kinds = "ksvc,configuration,revision,route,podautoscaler,serverlessservice,deployment,httproute"
    eventually(lambda: platform.kubectl("get", kinds, "-o", "name") == "", 60)


def test_traffic_to_a_revision_that_is_not_there_says_so(platform: Whole) -> None:
    apply(platform, service("one", {"revisionName": "hello-00009", "percent": 100}))
    eventually(lambda: condition(platform, "route/hello", "AllTrafficAssigned", "reason") == "RevisionMissing", 60)
    eventually(lambda: "hello-00009" in condition(platform, "ksvc/hello", "RoutesReady", "message"), 60)
    platform.kubectl("delete", "ksvc/hello")
