"""Triton in a pod: which binary, where its back ends are, which addresses it listens on, why it did not start.

The binary is `tritonserver` of the PATH (an installation with all back ends), else the one that the package
`nvidia-pytriton` brings, which has the Python back end alone. Triton writes what it cannot load into its log and ends.
"""

import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from inferplane.kernel.errors import InferplaneError

PROGRAM = "tritonserver"
_PACKAGE = "pytriton"
_STUB = "triton_python_backend_stub"
_ADDRESSES = ("--http-address", "--grpc-address", "--metrics-address")
_STORES = ("--model-store", "--model-repository")
_FAILED = re.compile(r"failed to load '(?P<model>[^']+)'(?: version \d+)?: (?P<cause>.*)")
_CANNOT = re.compile(r"error: creating server: (.*)|^(error: .*)")


class NoTriton(InferplaneError):
    pass


@dataclass(frozen=True, slots=True)
class Installation:
    """`program` is the binary. `backends` and `libraries` are given where the binary does not find them by itself."""

    program: Path
    backends: Path | None = None
    libraries: Sequence[Path] = ()


def installation(environ: Mapping[str, str], directory: Path) -> Installation:
    """`directory` is empty, and is what the back ends are put together in. Raises NoTriton."""
    found = shutil.which(PROGRAM, path=environ.get("PATH", ""))
    if found is not None:
        return Installation(Path(found))
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise NoTriton(
            f"{PROGRAM} is not on the PATH, and the package nvidia-pytriton is not installed",
            fix="install Triton, or pip install nvidia-pytriton, which brings it with its Python back end",
        )
    package = Path(spec.submodule_search_locations[0])
    libraries = [Path(sysconfig.get_config_var("LIBDIR")), package.parent / "nvidia_pytriton.libs"]
    server = package / PROGRAM
    return Installation(server / "bin" / PROGRAM, _backends(server, directory), libraries)


def _backends(server: Path, directory: Path) -> Path:
    """The package has a stub of the Python back end for each version of Python; Triton wants one beside the library."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = server / "python_backend_stubs" / version / _STUB
    if not stub.is_file():
        have = ", ".join(sorted(one.name for one in stub.parents[1].iterdir()))
        raise NoTriton(f"nvidia-pytriton has no Python back end for Python {version}: it has {have}")
    shutil.copytree(server / "backends", directory, symlinks=True, dirs_exist_ok=True)
    shutil.copy(stub, directory / "python" / _STUB)
    return directory


def command(found: Installation, arguments: Sequence[str], host: str) -> list[str]:
    """Of the container's arguments, which may begin with the program's name: on the pod's address alone."""
    given = list(arguments[1:] if arguments[:1] and Path(arguments[0]).name == PROGRAM else arguments)
    names = {word.partition("=")[0] for word in given}
    more = [f"{name}={host}" for name in _ADDRESSES if name not in names]
    if found.backends is not None and "--backend-directory" not in names:
        more.append(f"--backend-directory={found.backends}")
    return [str(found.program), *given, *more]


def variables(found: Installation, environ: Mapping[str, str]) -> dict[str, str]:
    """The Python back end takes the packages of the first `python` on the PATH."""
    paths = [str(Path(sys.executable).parent), environ.get("PATH", "")]
    libraries = [*map(str, found.libraries), environ.get("LD_LIBRARY_PATH", "")]
    joined = {"PATH": ":".join(filter(None, paths)), "LD_LIBRARY_PATH": ":".join(filter(None, libraries))}
    return {**environ, **{name: value for name, value in joined.items() if value}}


def repository(arguments: Sequence[str]) -> Path | None:
    """The first model repository that the arguments name."""
    for at, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name in _STORES:
            return Path(value if equals else next(iter(arguments[at + 1 :]), ""))
    return None


def empty(directory: Path) -> str:
    """Why Triton would find no model there; "" if it may. Triton itself then serves, and has nothing."""
    if not directory.is_dir():
        return f"{directory}: the model repository is not there"
    models = [one for one in directory.iterdir() if one.is_dir()]
    if any(version.name.isdigit() for model in models for version in model.iterdir()):
        return ""
    found = ", ".join(sorted(f"{one.name}/" if one.is_dir() else one.name for one in directory.iterdir())) or "nothing"
    return f"{directory}: no model in Triton's layout: expected NAME/VERSION/FILE, as iris/1/model.py, found {found}"


def _first_line(cause: str) -> str:
    """Triton writes line breaks as two signs, and puts Python's stack after the error."""
    return cause.partition(r"\n")[0].strip().rstrip('"')


class Cause:
    """What of Triton's output says why it ended."""

    def __init__(self) -> None:
        self._models: dict[str, str] = {}
        self._last = ""

    def hear(self, line: str) -> None:
        if (failed := _FAILED.search(line)) is not None:
            self._models.setdefault(failed["model"], _first_line(failed["cause"]))
        elif (cannot := _CANNOT.search(line)) is not None:
            self._last = (cannot[1] or cannot[2]).strip()

    def __str__(self) -> str:
        told = [f"model {name}: {cause}" for name, cause in self._models.items()]
        return "; ".join(told) or self._last
