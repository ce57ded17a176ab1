"""Environments that pods share: built once, told about, tried again, removed. A small script stands for uv."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock

from inferplane.controlplane.node.environments.builder import Builder
from inferplane.controlplane.node.environments.choose import Environment, Installed, Wish
from inferplane.controlplane.node.environments.shared import KEPT_UNUSED, EnvironmentFailed, Environments
from inferplane.kernel.clock import SystemClock

WANTED = Environment(("scikit-learn==1.4.*",), ("numpy>=1.26",), "3.11", ours=True, reason="because", recorded=True)
VENV = 'for last; do :; done; if [ "$1" = venv ]; then mkdir -p "$last/lib/python3.11/site-packages"; exit 0; fi\n'


def uv(tmp_path: Path, script: str) -> Path:
    path = tmp_path / "uv"
    path.write_text(f"#!/bin/sh\n{VENV}{script}")
    path.chmod(0o755)
    return path


def environments(tmp_path: Path, script: str, clock: SystemClock | FakeClock | None = None) -> Environments:
    clock = clock or SystemClock()
    builder = Builder(tmp_path / "environments", uv(tmp_path, script), {"PATH": os.environ["PATH"]}, clock)
    return Environments(builder, clock, find_installed=lambda: Installed({}, "3.11"))


def nothing(_: str) -> None:
    pass


async def test_many_pods_wait_for_one_build_and_hear_of_its_progress(tmp_path: Path) -> None:
    shared = environments(tmp_path, f"echo built >> {tmp_path}/count; echo Downloading numpy >&2")
    said: list[str] = []
    await asyncio.gather(*(shared.ready(WANTED, said.append) for _ in range(20)))
    assert (tmp_path / "count").read_text() == "built\n"
    assert said[0] == "building the environment scikit-learn==1.4.*"
    assert said.count("building the environment scikit-learn==1.4.*: Downloading numpy") == 20


async def test_a_built_environment_sees_the_platforms_packages_after_its_own(tmp_path: Path) -> None:
    shared = environments(tmp_path, "true")
    await shared.ready(WANTED, nothing)
    packages = shared.builder.path(WANTED) / "lib/python3.11/site-packages"
    (line,) = (packages / "inferplane-platform.pth").read_text().splitlines()
    linked = (packages / line).resolve()
    assert (linked / "inferplane" / "__init__.py").is_file()
    assert (linked / "msgspec").is_dir()
    assert not (linked / "sklearn").exists()


async def test_a_build_is_aside_until_it_is_whole(tmp_path: Path) -> None:
    shared = environments(tmp_path, "exit 1")
    with pytest.raises(EnvironmentFailed):
        await shared.ready(WANTED, nothing)
    assert not shared.builder.path(WANTED).exists()
    assert not shared.builder.is_built(WANTED)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("error: Failed to fetch: `x` Caused by: dns error", "the package index cannot be reached"),
        ("× No solution found when resolving dependencies", "the package index has no such versions for Python 3.11"),
        ("error: disk quota exceeded", "cannot install scikit-learn==1.4.*"),
    ],
)
async def test_a_failure_is_told_with_its_cause_and_the_last_lines(tmp_path: Path, line: str, cause: str) -> None:
    shared = environments(tmp_path, f"echo '{line}' >&2; exit 2")
    with pytest.raises(EnvironmentFailed) as raised:
        await shared.ready(WANTED, nothing)
    assert raised.value.message.startswith("because; ")
    assert cause in raised.value.message
    assert line in raised.value.message


async def test_credentials_of_an_index_are_not_told(tmp_path: Path) -> None:
    shared = environments(tmp_path, "echo 'error: https://me:secret@index/simple' >&2; exit 2")
    with pytest.raises(EnvironmentFailed, match="//index/simple") as raised:
        await shared.ready(WANTED, nothing)
    assert "secret" not in raised.value.message


async def test_without_uv_it_says_what_to_install(tmp_path: Path) -> None:
    builder = Builder(tmp_path / "environments", None, {}, SystemClock())
    with pytest.raises(EnvironmentFailed, match="pip install uv"):
        await Environments(builder, SystemClock()).ready(WANTED, nothing)


async def test_a_failure_holds_for_a_while_and_ever_longer(tmp_path: Path) -> None:
    clock = FakeClock()
    shared = environments(tmp_path, f"echo x >> {tmp_path}/tries; test -e {tmp_path}/fixed", clock)

    async def fails() -> float:
        with pytest.raises(EnvironmentFailed) as raised:
            await shared.ready(WANTED, nothing)
        return raised.value.retry_after

    assert [await fails(), await fails()] == [10.0, 10.0]
    assert (tmp_path / "tries").read_text() == "x\n"
    clock.advance(10.0)
    assert await fails() == 20.0
    (tmp_path / "fixed").touch()
    clock.advance(20.0)
    await shared.ready(WANTED, nothing)
    assert shared.builder.is_built(WANTED)


async def test_a_pod_that_goes_away_leaves_the_build_to_the_others(tmp_path: Path) -> None:
    shared = environments(tmp_path, f"touch {tmp_path}/begun; while ! test -e {tmp_path}/go; do sleep 0.01; done")
    leaving, staying = (asyncio.create_task(shared.ready(WANTED, nothing)) for _ in range(2))
    await until((tmp_path / "begun").exists)
    leaving.cancel()
    (tmp_path / "go").touch()
    await staying
    assert shared.builder.is_built(WANTED)


async def test_the_end_of_the_node_ends_the_build(tmp_path: Path) -> None:
    shared = environments(tmp_path, f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; sleep 1000")
    waiting = asyncio.create_task(shared.ready(WANTED, nothing))
    await until((tmp_path / "pid").exists)
    await shared.close()
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_a_killed_node_had_begun_is_cleared_away_but_not_what_uv_still_builds(tmp_path: Path) -> None:
    shared = environments(tmp_path, f"touch {tmp_path}/begun; while ! test -e {tmp_path}/go; do sleep 0.01; done")
    left = shared.builder.root / ".000000000000.building"
    left.mkdir(parents=True)
    building = asyncio.create_task(shared.ready(WANTED, nothing))
    await until((tmp_path / "begun").exists)
    await shared.builder.remove_unfinished()
    assert [path.name for path in shared.builder.root.glob(".*.building")] == [f".{WANTED.digest}.building"]
    (tmp_path / "go").touch()
    await building
    assert not left.exists()


async def test_what_nobody_has_used_for_long_is_removed(tmp_path: Path) -> None:
    shared = environments(tmp_path, "true")
    other = Environment(("joblib",), (), "3.11", ours=False)
    await shared.ready(WANTED, nothing)
    await shared.ready(other, nothing)
    long_ago = SystemClock().now().timestamp() - KEPT_UNUSED - 60
    for one in (WANTED, other):
        os.utime(shared.builder.path(one) / "inferplane.json", (long_ago, long_ago))
    await shared.tidy({other.digest})
    assert (shared.builder.is_built(WANTED), shared.builder.is_built(other)) == (False, True)
    assert not shared.builder.path(WANTED).exists()


async def test_what_was_installed_since_is_found_before_anything_is_built(tmp_path: Path) -> None:
    versions: dict[str, str] = {}
    shared = environments(tmp_path, "exit 1")
    shared.find_installed = lambda: Installed(dict(versions), "3.11")
    wish = Wish(requirements=("joblib>=1.3",))
    assert await shared.choose(wish) is not None
    versions["joblib"] = "1.6.0"
    assert await shared.choose(wish) is None


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - another process' files have no event
            await asyncio.sleep(0.005)


async def test_a_program_of_the_machine_makes_an_environment_needless(tmp_path: Path) -> None:
    shared = environments(tmp_path, "true")
    asked = Wish(requirements=("nvidia-pytriton",), program="tritonserver")
    assert await shared.choose(asked) is not None
    (tmp_path / "tritonserver").touch(mode=0o755)
    shared.path = str(tmp_path)
    assert await shared.choose(asked) is None


async def test_bytecode_that_python_keeps_beside_the_links_disturbs_nobody(tmp_path: Path) -> None:
    shared = environments(tmp_path, "true")
    await shared.ready(WANTED, nothing)
    (shared.builder.root / "platform" / "__pycache__").mkdir()
    await environments(tmp_path, "true").ready(WANTED, nothing)
