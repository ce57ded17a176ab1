"""Pods that need another Python environment than the platform's, where none can be built. A script stands for uv."""

import pickle
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sklearn
from tests.e2e.node_under_test import Machine

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.node.agent import Installer
from inferplane.controlplane.node.environments import shared
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.json import JsonObject, object_at, text_at

pytestmark = pytest.mark.e2e

# It has requirements and is executed, so no zygote has to import anything.
IMAGE: JsonObject = {
    "metadata": {"name": "server"},
    "spec": {
        "images": ["server"],
        "command": ["sh", "-c", "exec sleep 1000", "server"],
        "requirements": ["scikit-learn"],
        "library": "scikit-learn",
    },
}


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    machine = Machine(tmp_path / "home")
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho 'error: Request failed after 3 retries: dns error' >&2\nexit 2\n")
    uv.chmod(0o755)
    machine.installer = Installer(uv, {"PATH": "/bin:/usr/bin"})
    machine.api.add(kinds.PROCESS_IMAGE, IMAGE)
    yield machine
    await machine.end()


def server(tag: str, model: Path) -> JsonObject:
    return {"name": "main", "image": f"me/server:{tag}", "args": [f"--model_dir={model}"]}


def saved(directory: Path, version: str) -> Path:
    (directory / "model.pkl").write_bytes(pickle.dumps({"_sklearn_version": version}))
    return directory


def waiting(machine: Machine, name: str) -> JsonObject:
    return object_at(machine.container(name), "state", "waiting")


async def test_a_model_of_another_version_says_which_is_needed_and_how_to_allow_ours(
    machine: Machine, tmp_path: Path
) -> None:
    model = saved(tmp_path, "1.4.2")
    async with machine.node():
        machine.run("old", server("latest", model))
        await machine.until(lambda: waiting(machine, "old").get("reason") == "EnvironmentNotBuilt")
        said = text_at(waiting(machine, "old"), "message")
        assert f"the model was saved with scikit-learn 1.4.2 and the platform has {sklearn.__version__}" in said
        assert "the package index cannot be reached" in said
        assert said.endswith("annotation inferplane.dev/library-version: installed")


async def test_the_annotation_allows_the_platforms_own_version(machine: Machine, tmp_path: Path) -> None:
    model = saved(tmp_path, "1.4.2")
    async with machine.node():
        machine.run("old", server("latest", model), annotations={"inferplane.dev/library-version": "installed"})
        await machine.until_ready("old")


async def test_a_model_of_our_own_minor_version_needs_nothing(machine: Machine, tmp_path: Path) -> None:
    model = saved(tmp_path, sklearn.__version__.rpartition(".")[0] + ".77")
    async with machine.node():
        machine.run("new", server("latest", model))
        await machine.until_ready("new")


async def test_a_tag_that_asks_for_another_version_is_not_overruled_by_the_model(
    machine: Machine, tmp_path: Path
) -> None:
    model = saved(tmp_path, sklearn.__version__)
    async with machine.node():
        machine.run("pinned", server("1.5.2", model))
        await machine.until(lambda: waiting(machine, "pinned").get("reason") == "EnvironmentNotBuilt")
        said = text_at(waiting(machine, "pinned"), "message")
        assert said.startswith("the image's tag (runtimeVersion) asks for scikit-learn 1.5.2")
        assert "library-version" not in said


async def test_the_reason_stays_while_it_is_tried_again(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "_RETRY", Backoff(first=0.05, limit=0.05))
    uv, tries = tmp_path / "uv", tmp_path / "tries"
    uv.write_text(f"#!/bin/sh\necho x >> {tries}\necho 'error: dns error' >&2\nexit 2\n")
    async with machine.node():
        machine.run("old", server("1.5.2", tmp_path))
        await machine.until(lambda: waiting(machine, "old").get("reason") == "EnvironmentNotBuilt")
        since, before = len(machine.api.writes), tries.read_text().count("x")
        await machine.until(lambda: tries.read_text().count("x") >= before + 3)
        written = [one.body for one in machine.api.writes[since:] if one.name == "old" and one.subresource == "status"]
        assert all("EnvironmentNotBuilt" in str(one) for one in written)
