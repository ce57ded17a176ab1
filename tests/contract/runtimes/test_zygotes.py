"""The preload lists of the process images: a fork of a process that did all of that predicts, and no pool is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract.runtimes.made import MAKERS, ROWS

from inferplane.kernel.json import JsonObject, text_at
from inferplane.resources.process_image import process_images

TIMEOUT = 60

FORKING = """
import importlib, json, os, sys
for name in json.loads(sys.argv[1]):
    module, _, function = name.partition(":")
    module = importlib.import_module(module)
    rehearsal = getattr(module, function)() if function else None
    if rehearsal is not None:
        rehearsal()
names = [open(f"/proc/self/task/{one}/comm").read().strip() for one in os.listdir("/proc/self/task")]
# pandas imports pyarrow where it is installed, whose allocator cleans up on a thread and starts it anew after a fork.
threads = len([name for name in names if name != "jemalloc_bg_thd"])
child = os.fork()
if child == 0:
    from pathlib import Path
    from inferplane.dataplane.runtimes.registry import models
    (model,) = models(sys.argv[2], "m", Path(sys.argv[3]))
    model.load()
    model.predict({"instances": json.loads(sys.argv[4])}, {})
    os._exit(0)
print(threads, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def image_of(format: str) -> JsonObject:
    specs = [one["spec"] for one in process_images()]
    return next(s for s in specs if isinstance(s, dict) and s.get("args") == [f"--format={format}"])


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
@pytest.mark.parametrize("format", MAKERS)
def test_a_fork_of_the_warm_process_predicts(format: str, tmp_path: Path) -> None:
    # Importing onnxruntime brings one thread of its own at most (once none was seen), which no session of a fork needs.
    assert threads_of_a_zygote(image_of(format), format, tmp_path) <= (2 if format == "onnx" else 1)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_a_fork_of_the_predictive_servers_process_predicts_beside_the_libraries_of_other_formats(
    tmp_path: Path,
) -> None:
    image = next(
        one["spec"] for one in process_images() if text_at(one, "metadata", "name") == "kserve-predictiveserver"
    )
    assert isinstance(image, dict)
    assert threads_of_a_zygote(image, "lightgbm", tmp_path) == 1


def threads_of_a_zygote(image: JsonObject, format: str, directory: Path) -> int:
    """A model there was loaded and asked in a fork of it."""
    MAKERS[format](directory)
    arguments = [json.dumps(image["preload"]), format, str(directory), json.dumps(ROWS)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-c", FORKING, *arguments],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    threads, code = found.stdout.split()
    assert code == "0", found.stderr
    return int(threads)
