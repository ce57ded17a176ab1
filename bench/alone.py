"""What a process takes without a server: `import inferplane`, the library's import, a bare `predict`."""

import re
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Alone:
    """Milliseconds of `import inferplane`, seconds of a process that imports the library, milliseconds of a
    call of the model's `predict` on the benchmark's rows."""

    package: float
    library: float
    predict: float


_PREDICT = """
import sys, time, joblib, numpy as np, statistics
model = joblib.load(sys.argv[1])
rows = np.array([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]])
times = []
for _ in range(3000):
    begin = time.perf_counter()
    model.predict(rows)
    times.append(time.perf_counter() - begin)
print(statistics.median(times) * 1000)
"""


def measured(python: Path, model: Path) -> Alone:
    return Alone(_package(python), _library(python), _predict(python, model))


def median(seen: Sequence[Alone]) -> Alone:
    return Alone(
        statistics.median(one.package for one in seen),
        statistics.median(one.library for one in seen),
        statistics.median(one.predict for one in seen),
    )


def _package(python: Path) -> float:
    command = [str(python), "-X", "importtime", "-c", "import inferplane"]
    return cumulative(subprocess.run(command, check=True, capture_output=True, text=True).stderr, "inferplane")


def cumulative(printed: str, module: str) -> float:
    """Milliseconds of a module with all that it imports, from what `-X importtime` printed."""
    found = re.search(rf"^import time: +\d+ \| +(\d+) \| +{re.escape(module)}$", printed, re.MULTILINE)
    if found is None:
        raise ValueError(f"no line for {module} in {printed[-300:]!r}")
    return int(found[1]) / 1000


def _library(python: Path) -> float:
    """The whole process, as a server's start is one."""
    begin = time.perf_counter()
    subprocess.run([str(python), "-c", "import joblib, sklearn.svm"], check=True)
    return time.perf_counter() - begin


def _predict(python: Path, model: Path) -> float:
    command = [str(python), "-c", _PREDICT, str(model)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
