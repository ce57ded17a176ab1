"""A service under a load over time, as it really scales: requests, in flight, pods, second by second.

usage: python -m bench.scaling ISVC --load "0:20,60:400,180:0" [--ramp] [-n NS] [--body JSON] [--until S] --out FILE

Of the platform that `inferplane status` finds, whose InferenceService (Knative mode) has that name. Requests go through
the gateway at their times, whatever becomes of those before them. The file is what
`inferplane autoscaler simulate … --plot out.png --beside real.json` draws beside the simulation. Exit code 1 when an
answer was not 200.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from inferplane.client.kubernetes.http import HttpApi
from inferplane.client.kubernetes.kinds import DEPLOYMENT, INFERENCE_SERVICE, POD_AUTOSCALER, SERVICE
from inferplane.client.kubernetes.kubeconfig import read_kubeconfig
from inferplane.controlplane.autoscaling.curves import Curve, parse
from inferplane.kernel.clock import Clock, SystemClock
from inferplane.kernel.json import JsonObject, number_at, object_at, text_at
from inferplane.resources.activator import BACKEND

STEP = 0.005
Ask = Callable[[], Awaitable[str]]
Look = Callable[[], Awaitable[JsonObject]]


@dataclass
class Sent:
    """Requests so far. `area`: in flight times seconds, of the second under way; `latencies` in milliseconds."""

    in_flight: int = 0
    area: float = 0.0
    count: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    def second(self, t: int, seen: JsonObject) -> JsonObject:
        """The frame of the second that ends at `t`; the next one begins."""
        frame: JsonObject = {"t": t, "rate": self.count, "inFlight": round(self.area, 3), **seen}
        self.area, self.count = 0.0, 0
        return frame


async def record(ask: Ask, look: Look, load: Curve, until: int, clock: Clock) -> tuple[list[JsonObject], Sent]:
    """Frames of `until` seconds, and what became of all requests. `ask` sends one and gives its status."""
    sent, asked, frames = Sent(), set[asyncio.Task[None]](), list[JsonObject]()
    start, last, due = clock.monotonic(), 0.0, 0.0
    seen = await look()
    while len(frames) < until:
        await clock.sleep(STEP)
        now = clock.monotonic() - start
        due += load.rate(last) * (now - last)
        sent.area += sent.in_flight * (now - last)
        last = now
        for _ in range(int(due)):
            task = asyncio.create_task(_asked(ask, sent, clock))
            asked.add(task)
            task.add_done_callback(asked.discard)
        due -= int(due)
        while now >= len(frames) + 1 and len(frames) < until:
            frames.append(sent.second(len(frames) + 1, seen))
            seen = await look()
    await asyncio.gather(*asked)
    return frames, sent


async def _asked(ask: Ask, sent: Sent, clock: Clock) -> None:
    begun = clock.monotonic()
    sent.in_flight += 1
    sent.count += 1
    status = await ask()
    sent.in_flight -= 1
    sent.statuses[status] += 1
    sent.latencies.append((clock.monotonic() - begun) * 1000)


# --- the platform -----------------------------------------------------------------------------------------------------


async def seen_of(api: HttpApi, namespace: str, revision: str) -> JsonObject:
    """What the API server says of a revision's pods."""
    pa = await api.get(POD_AUTOSCALER, revision, namespace)
    deployment = await api.get(DEPLOYMENT, text_at(pa, "spec", "scaleTargetRef", "name"), namespace)
    service = await api.get(SERVICE, revision, namespace)
    return {
        "wanted": max(0, number_at(pa, "status", "desiredScale")),
        "replicas": number_at(deployment, "spec", "replicas"),
        "ready": number_at(deployment, "status", "readyReplicas"),
        "throughActivator": BACKEND in object_at(service, "metadata", "annotations"),
    }


async def _revision(api: HttpApi, namespace: str, name: str) -> str:
    """The newest one of the predictor."""
    found = await api.list(POD_AUTOSCALER, namespace, labels=f"serving.knative.dev/service={name}-predictor")
    names = sorted(text_at(one, "metadata", "name") for one in found.items)
    if not names:
        raise SystemExit(f"{namespace}/{name}: no PodAutoscaler is there: is it in Knative mode?")
    return names[-1]


@dataclass(frozen=True)
class Place:
    """`url`: where requests go; `kubeconfig`: of the platform's API server."""

    url: str
    kubeconfig: Path
    namespace: str
    name: str


async def run(place: Place, body: str, load: Curve, until: int) -> tuple[list[JsonObject], Sent]:
    http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    async with HttpApi(read_kubeconfig(place.kubeconfig)) as api, http:
        await api.get(INFERENCE_SERVICE, place.name, place.namespace)
        revision = await _revision(api, place.namespace, place.name)

        async def ask() -> str:
            try:
                async with http.post(place.url, data=body, headers={"content-type": "application/json"}) as answer:
                    await answer.read()
                    return str(answer.status)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                return type(error).__name__

        async def look() -> JsonObject:
            return await seen_of(api, place.namespace, revision)

        return await record(ask, look, load, until, SystemClock())


def summary(sent: Sent) -> str:
    ordered = sorted(sent.latencies)
    if not ordered:
        return "no request"
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99)]
    statuses = ", ".join(f"{count} × {status}" for status, count in sorted(sent.statuses.items()))
    return f"{statuses}; p50 {at[0]:.1f} ms, p99 {at[1]:.1f} ms, longest {ordered[-1]:.1f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name")
    parser.add_argument("--load", required=True, help="points seconds:requests-a-second")
    parser.add_argument("--ramp", action="store_true")
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("--body", default='{"instances": [[6.8, 2.8, 4.8, 1.4]]}')
    parser.add_argument("--until", type=int, help="seconds")
    parser.add_argument("--out", type=Path, default=Path("real.json"))
    options = parser.parse_args()
    load = parse(options.load, "--load", is_ramp=options.ramp)
    place = _place(options.namespace, options.name)
    frames, sent = asyncio.run(run(place, options.body, load, options.until or int(load.end) + 150))
    options.out.write_text(json.dumps({"frames": frames, "statuses": dict(sent.statuses)}))
    print(summary(sent))
    return 0 if set(sent.statuses) <= {"200"} else 1


def _place(namespace: str, name: str) -> Place:
    asked = subprocess.run(["inferplane", "status", "-o", "json"], capture_output=True, check=True)
    status = json.loads(asked.stdout)
    url = f"{status['gateway']}/serving/{namespace}/{name}/v1/models/{name}:predict"
    return Place(url, Path(status["kubeconfig"]), namespace, name)


if __name__ == "__main__":
    sys.exit(main())
