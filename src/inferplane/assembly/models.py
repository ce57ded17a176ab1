"""How the processes of this machine fetch models: which cache, how large, and what is said meanwhile.

The node names the cache to the storage initializer by INFERPLANE_MODEL_CACHE. Where nobody does (the initializer's
container on a cluster) there is none: what is fetched is put together beside its destination and moved into it.
"""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from inferplane.assembly.home import Home, home_from
from inferplane.dataplane.storage.cache import Cache
from inferplane.dataplane.storage.errors import StorageError, shown
from inferplane.dataplane.storage.fetch import Fetcher
from inferplane.dataplane.storage.settings import connections, is_true
from inferplane.dataplane.storage.transfer import Effort, Meter
from inferplane.dataplane.storage.uris import LOCAL, archive_of, store_of
from inferplane.resources.schemas.quantities import amount

MODEL_CACHE = "INFERPLANE_MODEL_CACHE"
CACHE_SIZE = "INFERPLANE_CACHE_SIZE"
WRITABLE = "INFERPLANE_MODEL_WRITABLE"
DEFAULT_SIZE = "20Gi"
_SAY_EVERY = 2.0
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def cache_variables(home: Home, environ: Mapping[str, str]) -> dict[str, str]:
    """What the node gives to our own images. Raises StorageError when the size is none."""
    size = environ.get(CACHE_SIZE) or DEFAULT_SIZE
    cache_size(size)
    return {MODEL_CACHE: str(home.cache / "models"), CACHE_SIZE: size}


def cache_size(text: str) -> int:
    """Bytes of a quantity such as `20Gi`."""
    try:
        found = int(amount(text))
    except ValueError:
        found = -1
    if found < 0:
        raise StorageError(f"{CACHE_SIZE}: expected a size such as {DEFAULT_SIZE}, got {text!r}")
    return found


def fetch(uri: str, destination: Path, environ: Mapping[str, str], say: Callable[[str], None]) -> str:
    """Fetches into `destination`, telling `say` how far it is; returns what was done, in words. Raises StorageError."""
    meter, started = Meter(), time.monotonic()
    with _cache(destination, environ) as cache, _progress(uri, meter, say) if _takes_time(uri) else nullcontext():
        fetcher = Fetcher(
            cache,
            environ,
            Effort(connections=connections(environ)),
            writable=is_true(environ, WRITABLE),
            meter=meter,
            say=say,
        )
        fetcher.fetch(uri, destination)
    where = f"{shown(uri)} is at {destination}"
    if store_of(uri) == LOCAL and not meter.done:
        return where
    return f"{where}: {_summary(meter, time.monotonic() - started)}"


def fetch_quietly(uri: str, destination: Path, environ: Mapping[str, str]) -> None:
    """As `fetch`, for one of thousands: nobody is told how far it is. Raises StorageError."""
    with _cache(destination, environ) as cache:
        Fetcher(cache, environ, Effort(connections=connections(environ))).fetch(uri, destination)


def fetched(uri: str, environ: Mapping[str, str], say: Callable[[str], None]) -> Path:
    """A new directory with the model, for a server that was started by hand. Raises StorageError."""
    directory = Path(tempfile.mkdtemp(prefix="inferplane-model-"))
    variables = cache_variables(home_from(environ), environ)
    say(fetch(uri, directory, {**variables, **environ}, say))
    return directory


@contextmanager
def _cache(destination: Path, environ: Mapping[str, str]) -> Iterator[Cache]:
    if root := environ.get(MODEL_CACHE):
        yield Cache(Path(root), cache_size(environ.get(CACHE_SIZE) or DEFAULT_SIZE))
        return
    beside = destination / ".storage-initializer"
    yield Cache(beside, 0)
    # After a failure it stays: the container's next start goes on from there.
    shutil.rmtree(beside, ignore_errors=True)


def _takes_time(uri: str) -> bool:
    """All but what is on this machine already, as it is to be: that is linked."""
    return store_of(uri) != LOCAL or bool(archive_of(uri))


@contextmanager
def _progress(uri: str, meter: Meter, say: Callable[[str], None]) -> Iterator[None]:
    ended = threading.Event()

    def watch() -> None:
        before = 0
        while not ended.wait(_SAY_EVERY):
            if meter.done != before:
                say(progress(uri, meter, (meter.done - before) / _SAY_EVERY))
                before = meter.done

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def progress(uri: str, meter: Meter, rate: float) -> str:
    """`rate` in bytes a second."""
    share = f"{100 * meter.done // meter.total} % of {size(meter.total)}" if meter.total else size(meter.done)
    return f"fetching {shown(uri)}: {share}, {size(rate)}/s"


def _summary(meter: Meter, seconds: float) -> str:
    if not meter.done:
        return "out of the cache"
    return f"{size(meter.done)} fetched in {seconds:.1f} s"


def size(count: float) -> str:
    """Bytes, for people."""
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("the last unit takes everything")
