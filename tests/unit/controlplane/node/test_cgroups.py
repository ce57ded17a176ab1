"""Control groups as files: what is written for which limits, in both versions; and which limits count."""

from pathlib import Path

import msgspec
import pytest

from inferplane.controlplane.node.cgroups import Cgroups, Limits, found, limits
from inferplane.kernel.json import Json
from inferplane.resources.core import Container

HALF = Limits(cpu=0.5, memory=100 << 20)


def container(**given: Json) -> Container:
    return msgspec.convert({"name": "c", "resources": {"limits": given}}, Container)


def version_2(root: Path, controllers: str = "cpuset cpu io memory pids") -> Cgroups | None:
    (root / "cgroup.controllers").write_text(controllers)
    return found("ours", root, root / "none")


def version_1(root: Path) -> Cgroups | None:
    (root / "cpu" / "here").mkdir(parents=True)
    own = root / "own"
    own.write_text("9:name=systemd:/\n4:memory:/here\n1:cpu,cpuacct:/here\n0::/\n")
    return found("ours", root, own)


def files(directory: Path) -> dict[str, str]:
    return {one.name: one.read_text() for one in directory.iterdir() if one.is_file()}


def test_version_2_has_one_group_for_both(tmp_path: Path) -> None:
    groups = version_2(tmp_path)
    assert groups is not None
    assert groups.make("a", HALF) == [str(tmp_path / "ours/a/cgroup.procs")]
    expected = {"cpu.max": "50000 100000", "memory.max": "104857600", "memory.oom.group": "1"}
    assert files(tmp_path / "ours/a") == expected
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory"
    assert (tmp_path / "ours/cgroup.subtree_control").read_text() == "+cpu +memory"


def test_version_1_holds_cpu_alone_below_our_own_group(tmp_path: Path) -> None:
    groups = version_1(tmp_path)
    assert groups is not None
    assert groups.make("a", HALF) == [str(tmp_path / "cpu/here/ours/a/cgroup.procs")]
    assert files(tmp_path / "cpu/here/ours/a") == {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"}
    assert groups.make("b", Limits(memory=1)) == []


def test_without_the_controllers_there_are_none(tmp_path: Path) -> None:
    assert version_2(tmp_path, "hugetlb") is None


def test_a_container_without_limits_is_in_no_group(tmp_path: Path) -> None:
    groups = version_2(tmp_path)
    assert groups is not None
    assert groups.make("a", Limits()) == []
    assert not (tmp_path / "ours/a").exists()


def test_a_kill_counts_from_the_start_of_the_run(tmp_path: Path) -> None:
    groups = version_2(tmp_path)
    assert groups is not None
    groups.make("a", HALF)
    assert not groups.out_of_memory("a")
    (tmp_path / "ours/a/memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert groups.out_of_memory("a")
    groups.make("a", HALF)  # the next run
    assert not groups.out_of_memory("a")


def test_groups_of_pods_that_are_gone_are_removed(tmp_path: Path) -> None:
    groups = version_2(tmp_path)
    assert groups is not None
    for name in ("a", "b"):
        (tmp_path / "ours" / name).mkdir()
    groups.tidy({"a"})
    assert [(tmp_path / "ours" / name).exists() for name in ("a", "b")] == [True, False]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Limits()),
        ({"cpu": "1", "memory": "2Gi"}, Limits()),
        ({"cpu": "1"}, Limits(cpu=1.0)),
        ({"cpu": "250m", "memory": "2Gi"}, Limits(cpu=0.25, memory=2 << 30)),
    ],
    ids=["none", "KServe's own", "one of them", "both"],
)
def test_limits_that_somebody_chose_count(given: dict[str, Json], expected: Limits) -> None:
    assert limits(container(**given)) == expected
