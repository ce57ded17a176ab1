"""`up --unprivileged-pods`: may pods have users of their own here, and can those reach what they need?

They go through the home to their pod's directory, and read the platform's Python. So the home lets everybody pass,
though not list it, and what it holds besides pods is its owner's alone.
"""

import os
import stat
import sys
from pathlib import Path

from inferplane.assembly.home import Home
from inferplane.kernel.errors import InferplaneError

_PASS = 0o711


def prepare(home: Home) -> None:
    """Raises InferplaneError when it cannot be."""
    if os.geteuid() != 0:
        raise InferplaneError(
            "--unprivileged-pods: only root can give pods users of their own",
            fix="start as root, or without it: pods then run as you",
        )
    ours = ((Path(one), "install it elsewhere") for one in (sys.prefix, sys.base_prefix))
    for needed, why in ((home.root, "choose another INFERPLANE_HOME"), *ours):
        for directory in needed.parents:
            if not directory.stat().st_mode & stat.S_IXOTH:
                raise InferplaneError(
                    f"--unprivileged-pods: pods cannot reach {needed}: {directory} is closed to other users", fix=why
                )
    open_home(home)


def open_home(home: Home) -> None:
    """Everybody may pass. Files directly in it are closed to others first (SQLite's share the database's mode)."""
    home.state.touch(mode=0o600)
    for path in home.root.iterdir():
        if path.is_file() and not path.is_symlink():
            path.chmod(0o600)
    for directory in (home.root, home.pods, home.volumes):
        directory.chmod(_PASS)
