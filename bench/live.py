"""Many live services that nobody asks: `python -m bench.live [--services 300]`.

InferenceServices with scikit-learn's iris model and one replica each. Printed: the private memory of their servers
(smaps: Private_Clean + Private_Dirty), CPU while nothing happens, and how long `inferplane top` takes to show them.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from bench.over_time import private
from bench.rest import cpu
from bench.sleeping import claimed, create
from bench.soak import Platform, running

LOOKS, BETWEEN = 5, 0.2


def service(name: str, model: str) -> dict[str, object]:
    predictor = {"minReplicas": 1, "model": {"modelFormat": {"name": "sklearn"}, "storageUri": model}}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
        "spec": {"predictor": predictor},
    }


def servers(platform: Platform) -> list[psutil.Process]:
    pods = str(platform.home / "pods")
    return [one for one in psutil.process_iter(["cwd"]) if (one.info["cwd"] or "").startswith(pods)]


def top(platform: Platform) -> tuple[float, int]:
    """Seconds that its two looks take, start and all, and how many services it shows."""
    begun = time.monotonic()
    shown = platform.command("top", "--once", "--interval", f"{BETWEEN}", "-o", "json")
    return time.monotonic() - begun - BETWEEN, shown.count('"live-')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=300)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="live-") as work, running(Path(work) / "home") as platform:
        model, begun = claimed(platform), time.monotonic()
        create(platform, [f"live-{number}" for number in range(given.services)], model, made=service)
        print(f"{given.services} ready after {time.monotonic() - begun:.0f} s", flush=True)
        time.sleep(20)
        sizes = sorted(private(one) for one in servers(platform))
        print(
            f"{len(sizes)} servers, private MB: p50 {statistics.median(sizes):.2f}, {sizes[0]:.2f} to {sizes[-1]:.2f}"
        )
        shares = cpu(platform, 20.0)
        print("idle: " + ", ".join(f"{name} {share:.2f} % of a core" for name, share in shares.items()), flush=True)
        looks = [top(platform) for _ in range(LOOKS)]
        print(f"inferplane top: {looks[0][1]} services in {statistics.median(took for took, _ in looks):.2f} s")


if __name__ == "__main__":
    main()
