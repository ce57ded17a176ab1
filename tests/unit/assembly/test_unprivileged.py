"""`--unprivileged-pods`: who may ask for it, and what the home lets others do then."""

import os
import stat
from pathlib import Path

import pytest

from inferplane.assembly import unprivileged
from inferplane.assembly.home import Home
from inferplane.kernel.errors import InferplaneError


def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_root_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InferplaneError, match="only root"):
        unprivileged.prepare(home(tmp_path))


def test_a_home_that_others_cannot_reach_is_told_with_the_directory_that_closes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(InferplaneError, match="is closed to other users"):
        unprivileged.prepare(home(closed))


def test_others_may_pass_and_read_nothing(tmp_path: Path) -> None:
    made = home(tmp_path)
    made.kubeconfig.write_text("token")
    made.kubeconfig.chmod(0o644)
    unprivileged.open_home(made)
    assert [mode(one) for one in (made.root, made.pods, made.volumes)] == [0o711] * 3
    assert [mode(one) for one in (made.kubeconfig, made.state, made.pki, made.cache)] == [0o600, 0o600, 0o700, 0o700]
