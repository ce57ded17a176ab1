import os
import stat
from pathlib import Path

from inferplane.assembly.home import Home, home_from


def test_the_home_is_where_the_variable_says() -> None:
    assert home_from({"INFERPLANE_HOME": "/srv/planes/a"}).root == Path("/srv/planes/a")


def test_without_the_variable_the_home_follows_xdg() -> None:
    assert home_from({"XDG_DATA_HOME": "/data"}).root == Path("/data/inferplane")
    assert home_from({}).root == Path.home() / ".local/share/inferplane"


def test_sockets_leave_a_home_whose_path_is_too_long_for_them() -> None:
    short, long = Home(Path("/srv/a")), Home(Path("/srv") / ("x" * 100))
    assert short.run == Path("/srv/a/run")
    assert not long.run.is_relative_to(long.root)
    assert len(os.fsencode(long.envoy_admin_socket)) < 108
    assert long.run != Home(Path("/srv") / ("y" * 100)).run


def test_only_the_owner_may_enter_a_new_home(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    home.make()
    for directory in (home.root, home.run, home.pki, home.pods):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
