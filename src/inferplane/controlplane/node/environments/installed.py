"""The platform's own environment: what is in it, and how a built one gets at our code.

Our code and what it needs are not installed a second time: a built environment sees them through links, after its own
packages (docs/decisions/0013-environments.md). Packages that build on numpy stay out of the links, because a built
environment has its own numpy.
"""

import importlib.metadata
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

import inferplane
from inferplane.controlplane.node.environments.choose import OURS, Installed

_NUMPY = "numpy"
_EXTRA = re.compile(r"""extra\s*==\s*["']([\w.-]+)["']""")


def installed() -> Installed:
    """What is in the environment that this process runs in. Reads each package's metadata: some 0.1 s."""
    found: dict[str, str] = {}
    for one in importlib.metadata.distributions():
        # The first on the path is the one that is imported.
        found.setdefault(canonicalize_name(one.name), one.version)
    lines = importlib.metadata.requires(OURS) or []
    extras: dict[str, list[str]] = {}
    for line in lines:
        if (extra := _EXTRA.search(line)) is not None and applies(line, extra[1]):
            extras.setdefault(extra[1], []).append(line.partition(";")[0].strip())
    return Installed(
        versions=found,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        needs=tuple(sorted(line for line in lines if _EXTRA.search(line) is None and "[" not in line)),
        extras=extras,
    )


def applies(line: str, extra: str) -> bool:
    """Whether what the extra needs is for this machine: a library may have a package for each kind of them."""
    marker = Requirement(line).marker
    return marker is None or marker.evaluate({"extra": extra})


def link(directory: Path) -> None:
    """Makes `directory` hold a link to each package of this environment that does not build on numpy, and to our code.

    Replaces what is there when it leads elsewhere: environments built before an upgrade of the platform see what is
    there now.
    """
    wanted = _links()
    # Beside the links is what Python keeps of modules that are a file of their own (__pycache__).
    if directory.is_dir() and {one.name: one.readlink() for one in directory.iterdir() if one.is_symlink()} == wanted:
        return
    draft = directory.with_name(f".{directory.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, target in wanted.items():
        (draft / name).symlink_to(target)
    shutil.rmtree(directory, ignore_errors=True)
    draft.rename(directory)


def _links() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for one in _apart_from_numpy():
        for name in _top_level(one):
            target = Path(str(one.locate_file(name)))
            if target.exists():
                found.setdefault(name, target)
    # From an editable installation, too, which has only its metadata in site-packages.
    return found | {OURS: Path(inferplane.__file__).parent}


def _apart_from_numpy() -> list[importlib.metadata.Distribution]:
    everything = {canonicalize_name(one.name): one for one in importlib.metadata.distributions()}
    needs = {name: _needed(one) for name, one in everything.items() if name != OURS}
    above = {_NUMPY}
    while more := {name for name, needed in needs.items() if name not in above and needed & above}:
        above |= more
    return [one for name, one in everything.items() if name not in above - {_NUMPY}]


def _needed(one: importlib.metadata.Distribution) -> set[str]:
    return set(_names(one.requires or ()))


def _names(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # metadata of times before the standard
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def _top_level(one: importlib.metadata.Distribution) -> set[str]:
    """Names of files and directories of site-packages; what is elsewhere (commands) and path files stay out."""
    names = {file.parts[0] for file in one.files or () if file.parts and not file.is_absolute()}
    return {name for name in names if name not in ("..", "__pycache__") and not name.endswith((".pth", ".egg-link"))}
