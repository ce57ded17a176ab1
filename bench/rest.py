"""A platform with many services at rest: `python -m bench.rest [--services 1000]`.

All of them are stopped (`serving.kserve.io/stop`), so that what is measured is the control plane. Printed: how long
they take to be created and settled, the CPU and memory of the control plane while nothing happens, and how long a
change of one endpoint takes from the write to the first answer of the new endpoint through Envoy.
"""

import argparse
import http.client
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from bench.soak import KIND, Client, Platform, memory, running, service, until

IDLE_SECONDS = 30.0
HOST = "flip.localhost"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
GATEWAY = ("kserve", "kserve-ingress-gateway")


def create(platform: Platform, count: int, workers: int = 8) -> float:
    """Creates so many stopped services; the seconds that it took."""
    begun = time.monotonic()

    def work(number: int) -> None:
        client = platform.client()
        for one in range(number, count, workers):
            status, answer = client.call("POST", KIND, service(f"rest-{one}", "file:///nowhere", "0", False))
            assert status == 201, answer

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - begun


def unsettled(client: Client) -> int:
    """How many services have no status for their newest generation."""
    items = client.call("GET", KIND)[1]["items"]
    return sum(one.get("status", {}).get("observedGeneration") != one["metadata"]["generation"] for one in items)


def cpu(platform: Platform, seconds: float) -> dict[str, float]:
    """Percent of a core of each process over so many seconds."""
    processes = {name: psutil.Process(pid) for name, pid in platform.processes().items()}
    before = {name: sum(one.cpu_times()[:2]) for name, one in processes.items()}
    time.sleep(seconds)
    return {name: (sum(one.cpu_times()[:2]) - before[name]) / seconds * 100 for name, one in processes.items()}


@contextmanager
def answering(word: str) -> Iterator[int]:
    """A server that says one word; its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(word)))
            self.end_headers()
            self.wfile.write(word.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a request each millisecond."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def slice_of(port: int) -> dict[str, object]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "flip", "labels": {"kubernetes.io/service-name": "flip"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
    }


def flips(platform: Platform, gateway: str, count: int) -> list[float]:
    """Milliseconds from the write of an endpoint to the first answer of it, each time."""
    client, found = platform.client(), []
    with answering("a") as first, answering("b") as second:
        spec = {"ports": [{"name": "http", "port": 80, "targetPort": 80}]}
        client.call("POST", "/api/v1/namespaces/default/services", {"metadata": {"name": "flip"}, "spec": spec})
        client.call("POST", SLICES, slice_of(first))
        namespace, name = GATEWAY
        route = {
            "parentRefs": [{"name": name, "namespace": namespace}],
            "hostnames": [HOST],
            "rules": [{"backendRefs": [{"name": "flip", "port": 80}]}],
        }
        made = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "flip"}}
        client.call("POST", ROUTES, made | {"spec": route})
        until("the route answers", lambda: _said(gateway) != "a")
        for number in range(count):
            port, word = ((second, "b"), (first, "a"))[number % 2]
            begun = time.monotonic()
            client.call("PUT", f"{SLICES}/flip", slice_of(port))
            while _said(gateway) != word:
                continue
            found.append((time.monotonic() - begun) * 1e3)
            time.sleep(0.05)
    return found


def _said(gateway: str) -> str:
    connection = http.client.HTTPConnection(gateway, timeout=5)
    connection.request("GET", "/", headers={"Host": HOST})
    said = connection.getresponse().read().decode()
    connection.close()
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--flips", type=int, default=40)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rest-") as work, running(Path(work) / "home") as platform:
        client = platform.client()
        print(f"empty: {_megabytes(memory(platform))}", flush=True)
        seconds = create(platform, given.services)
        print(f"{given.services} services created in {seconds:.1f} s", flush=True)
        until("each has its status", lambda: unsettled(client))
        time.sleep(15)
        shares = cpu(platform, IDLE_SECONDS)
        print("idle: " + ", ".join(f"{name} {share:.2f} % of a core" for name, share in shares.items()), flush=True)
        print(f"with {given.services} services: {_megabytes(memory(platform))}")
        gateway = urlsplit(json.loads(platform.command("status", "-o", "json"))["gateway"]).netloc
        found = sorted(flips(platform, gateway, given.flips))
        print(f"one endpoint change reaches Envoy: p50 {statistics.median(found):.1f} ms, most {found[-1]:.1f} ms")


def _megabytes(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f} MB" for name, value in found.items())


if __name__ == "__main__":
    main()
