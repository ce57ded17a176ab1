"""Which programs this machine has."""

import shutil
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

Present: TypeAlias = Callable[[str], bool]
"""Of a program's path, or of a name that is looked for."""


def present(path: str) -> Present:
    """`path` are the directories where names are looked for, as in PATH."""
    return partial(_is_there, path)


def _is_there(path: str, program: str) -> bool:
    return shutil.which(program, path=path) is not None


def nowhere(program: str) -> bool:
    """No machine in particular: it has none."""
    return False
