from pathlib import Path

import pytest

from inferplane.controlplane.node.environments.choose import Wish
from inferplane.controlplane.node.images import PLAIN, Recipe
from inferplane.controlplane.node.launcher import threads, told
from inferplane.resources.core import Container, Quantities, ResourceRequirements


@pytest.mark.parametrize(("cpu", "count"), [("500m", "1"), ("2", "2"), ("2500m", "3"), (4, "4")])
def test_pools_of_threads_stay_within_the_cpu_limit(cpu: str | int, count: str) -> None:
    limits: Quantities = {"cpu": cpu}
    found = threads(Container(name="c", resources=ResourceRequirements(limits=limits)))
    assert found == {"OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "MKL_NUM_THREADS": count}


def test_without_a_limit_a_command_decides_for_itself() -> None:
    assert threads(Container(name="c")) == {}


@pytest.mark.parametrize(
    ("how", "shown"),
    [
        (Recipe(PLAIN, ("mlserver",), wish=Wish(ours=False)), "volume"),
        (Recipe(PLAIN, (), entrypoint="a:b", wish=Wish()), "link"),
        (Recipe(PLAIN, ("python",)), "link"),
    ],
    ids=["another project's server", "our server", "a command of the user's"],
)
def test_only_other_projects_servers_are_told_where_links_lead(how: Recipe, shown: str, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "volume")
    assert told(how, {"/mnt/models": str(tmp_path / "link")}) == {"/mnt/models": str(tmp_path / shown)}


FOREIGN = Recipe(PLAIN, ("mlserver",), wish=Wish(ours=False))


def test_a_directory_of_links_to_one_other_is_that_one(tmp_path: Path) -> None:
    model, volume = tmp_path / "model", tmp_path / "volume"
    for one in (model, volume):
        one.mkdir()
    for name in ("MLmodel", "model.pkl"):
        (model / name).touch()
        (volume / name).symlink_to(model / name)
    assert told(FOREIGN, {"/mnt/models": str(volume)}) == {"/mnt/models": str(model)}


@pytest.mark.parametrize("target", ["elsewhere/b", "model/c"])
def test_links_to_several_places_or_by_other_names_stay_where_they_are(target: str, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "a").symlink_to(tmp_path / "model" / "a")
    (tmp_path / "volume" / "b").symlink_to(tmp_path / target)
    assert told(FOREIGN, {"/m": str(tmp_path / "volume")}) == {"/m": str(tmp_path / "volume")}
