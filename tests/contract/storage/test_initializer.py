"""`inferplane storage-initializer` as a process: killed in the middle, and started again."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contract.storage.servers import Answer, Asked, file, web

from inferplane.dataplane.storage.transfer import PART

INFERPLANE = Path(sys.executable).with_name("inferplane")
CONTENT = os.urandom(1 << 20) * (PART // (1 << 20) + 1)
PATIENCE = 90.0


def command(url: str, destination: Path) -> list[str | Path]:
    return [INFERPLANE, "storage-initializer", f"{url}/model.bin", destination]


def environ(cache: Path) -> dict[str, str]:
    return {**os.environ, "INFERPLANE_MODEL_CACHE": str(cache), "INFERPLANE_CACHE_SIZE": "1Gi"}


def eventually(claim: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < end, "still not so"
        time.sleep(0.02)


@pytest.mark.parametrize("cached", [True, False], ids=["with a cache", "without one"])
def test_a_killed_fetch_is_gone_on_with_and_nothing_half_is_ever_in_place(tmp_path: Path, cached: bool) -> None:
    dead = threading.Event()

    def answer(asked: Asked) -> Answer:
        if asked.range == f"bytes={PART}-{len(CONTENT) - 1}" and not dead.is_set():
            dead.wait(PATIENCE)  # the last part does not come before the process is gone
        return file(asked, CONTENT, cut=-1, ETag='"1"')

    destination = tmp_path / "models"
    variables = environ(tmp_path / "cache") if cached else dict(os.environ)
    work = tmp_path / "cache" / "partial" if cached else destination / ".storage-initializer" / "partial"
    with web(answer) as server:
        words = command(server.url, destination)
        first = subprocess.Popen(words, env=variables, stdout=subprocess.PIPE)
        eventually(lambda: [one for one in work.glob("*/*.done") if one.read_text() == "0\n"])
        first.kill()
        first.communicate(timeout=PATIENCE)
        dead.set()
        assert not (destination / "model.bin").exists()
        before = len(server.asked)
        done = subprocess.run(words, env=variables, capture_output=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        again = [asked.range for asked in server.asked[before:]]
    assert again == ["bytes=0-0", f"bytes={PART}-{len(CONTENT) - 1}"]
    assert (destination / "model.bin").read_bytes() == CONTENT
    assert [one.name for one in destination.iterdir()] == ["model.bin"]


def test_what_went_wrong_is_one_line_and_the_exit_code_is_1(tmp_path: Path) -> None:
    with web(lambda asked: Answer(b"not you", 403)) as server:
        words = command(server.url, tmp_path / "models")
        done = subprocess.run(words, env=environ(tmp_path / "cache"), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"storage-initializer: {server.url}/model.bin: access denied to an anonymous caller: "
    )
    assert done.stderr.count("\n") == 1
