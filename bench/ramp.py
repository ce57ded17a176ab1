"""From nothing to 400 requests a second and back: `python -m bench.ramp [--picture docs/scaling.png]`.

A platform of its own, and an InferenceService in Knative mode whose model takes 20 ms and may have two replicas. It
starts at zero, so the first request wakes it. Recorded second by second (`bench.scaling`) and drawn beside what
`inferplane autoscaler simulate` says of the same service and load. The run fails when an answer was not 200, or when
the most pods that the rules want, or none, are there more than `LAG` later than by the rules.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

import psutil
import yaml

from bench.soak import KIND, Platform, running, until

NAME = "nap"
LOAD = "0:0,5:50,25:400,85:50,100:0"
WINDOW, GRACE = 30, 30
UNTIL = 100 + WINDOW + GRACE + 20
LAG = 6.0
"""Seconds: a decision is made every two, figures come every one, and real requests do not come as evenly. One that
takes long is panic, and panic holds all pods for a window: how long they are held before zero is not compared."""
BODY = '{"instances": [[6.8, 2.8, 4.8, 1.4]]}'

PROGRAM = """
import asyncio
from inferplane import Model, ModelServer

class Nap(Model):
    async def predict(self, payload, headers=None):
        await asyncio.sleep(0.02)
        return {"predictions": [1]}

if __name__ == "__main__":
    model = Nap("nap")
    model.load()
    ModelServer().start([model])
"""


def service(program: Path) -> dict[str, object]:
    annotations = {
        "serving.kserve.io/deploymentMode": "Knative",
        "autoscaling.knative.dev/window": f"{WINDOW}s",
        "autoscaling.knative.dev/initial-scale": "0",
    }
    container = {
        "name": "kserve-container",
        "image": "any",
        "command": [sys.executable, str(program)],
        "args": ["--enable_grpc=false"],
    }
    predictor = {"minReplicas": 0, "maxReplicas": 2, "scaleTarget": 5, "containers": [container]}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": NAME, "annotations": annotations},
        "spec": {"predictor": predictor},
    }


@dataclass(frozen=True, slots=True)
class Course:
    """Times at which a run came to so many replicas, in seconds."""

    changes: Sequence[tuple[float, int]]

    @classmethod
    def of(cls, frames: Sequence[dict[str, float]]) -> "Course":
        found: list[tuple[float, int]] = []
        for one in frames:
            if not found or found[-1][1] != one["replicas"]:
                found.append((one["t"], int(one["replicas"])))
        return cls(found)

    def times(self) -> dict[str, float]:
        """When the most were there first, and when none were for good; never, if not."""
        most = max(count for _, count in self.changes)
        last, count = self.changes[-1]
        return {f"{most}": next(t for t, one in self.changes if one == most), "no": inf if count else last}

    def __str__(self) -> str:
        return ", ".join(f"{count} at {t:g} s" for t, count in self.changes)


def simulated(manifest: Path, startup: float, picture: Path, real: Path) -> Course:
    given = ("--load", LOAD, "--duration", "21ms", "--startup", f"{startup:.2f}s", "--replicas", "0")
    shown = ("--until", f"{UNTIL}s", "--plot", str(picture), "--beside", str(real), "-o", "json")
    program = str(Path(sys.executable).with_name("inferplane"))
    command = [program, "autoscaler", "simulate", "-f", str(manifest), *given, *shown]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return Course.of(json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])["frames"])


def recorded(platform: Platform, out: Path) -> int:
    """The exit code of `bench.scaling`."""
    command = ["-m", "bench.scaling", NAME, "--load", LOAD, "--body", BODY, "--until", str(UNTIL), "--out", str(out)]
    environ = {**platform.environ, "PATH": f"{Path(sys.executable).parent}:{platform.environ['PATH']}"}
    return subprocess.run([sys.executable, *command], env=environ, check=False).returncode


def prepared(platform: Platform, directory: Path) -> Path:
    """The service is ready, and asleep. Its manifest."""
    program, manifest = directory / "nap.py", directory / "nap.yaml"
    program.write_text(PROGRAM)
    made = service(program)
    manifest.write_text(yaml.safe_dump(made))
    client = platform.client()
    patch = {"data": {"allow-zero-initial-scale": "true", "scale-to-zero-grace-period": f"{GRACE}s"}}
    path = "/api/v1/namespaces/knative-serving/configmaps/config-autoscaler"
    client.call("PATCH", path, patch, "application/merge-patch+json")
    status, answer = client.call("POST", KIND, made)
    assert status == 201, answer

    def unready() -> list[str]:
        found = client.call("GET", f"{KIND}/{NAME}")[1].get("status", {}).get("conditions", [])
        return [] if any(one["type"] == "Ready" and one["status"] == "True" for one in found) else [NAME]

    until("the service is ready", unready)
    return manifest


def startup_of(frames: Sequence[dict[str, float]]) -> float:
    """From the first replica that is wanted to the first that is ready: seconds, as well as frames tell."""
    wanted = next(one["t"] for one in frames if one["replicas"])
    return max(0.1, next(one["t"] for one in frames if one["ready"]) - wanted)


def differences(real: Course, rules: Course) -> list[str]:
    """What is not as the rules want it."""
    due = rules.times()
    return [
        f"{what} replicas at {t:g} s, by the rules at {due.get(what, inf):g} s"
        for what, t in real.times().items()
        if t > due.get(what, -inf) + LAG
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, default=Path("scaling.png"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ramp-") as work:
        directory = Path(work)
        with running(directory / "home") as platform:
            manifest = prepared(platform, directory)
            time.sleep(10)
            print(f"load average at the beginning {psutil.getloadavg()[0]:.1f}", flush=True)
            failed = recorded(platform, directory / "real.json")
            print(f"load average at the end {psutil.getloadavg()[0]:.1f}", flush=True)
        frames = json.loads((directory / "real.json").read_text())["frames"]
        real, startup = Course.of(frames), startup_of(frames)
        rules = simulated(manifest, startup, given.picture, directory / "real.json")
    print(f"measured: {real}\nsimulated (a pod starts in {startup:.1f} s): {rules}")
    wrong = differences(real, rules) + (["an answer was not 200"] if failed else [])
    if wrong:
        raise SystemExit("NOT SO: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
