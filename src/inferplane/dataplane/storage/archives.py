"""Archives into directories. What would leave the directory, and what is cut off or broken, is refused as a whole."""

import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from lzma import LZMAError
from pathlib import Path

from inferplane.dataplane.storage.errors import StorageError
from inferplane.dataplane.storage.remote import safe_path
from inferplane.dataplane.storage.transfer import full

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    LZMAError,
    EOFError,
    NotImplementedError,  # a compression that Python does not have
    RuntimeError,  # what zipfile raises for an archive with a password
)


def unpack(archive: Path, kind: str, into: Path, source: str, within: str = "") -> None:
    """`kind` is tar (plain or compressed) or zip. Of a tar only what is below `within` is unpacked, when that is set.

    `source` names the archive in messages. Raises StorageError.
    """
    into.mkdir(parents=True)
    try:
        if kind == "zip":
            _unzip(archive, into, source)
        else:
            _untar(archive, into, source, within)
    except tarfile.FilterError as error:
        raise StorageError(f"{source}: refused: {error}", fix="pack only files below one directory") from error
    except _BROKEN as error:
        raise StorageError(
            f"{source}: Failed to unpack archive file. The file format is not valid: expected a whole {kind} file, "
            f"got: {error}",
            fix="pack and upload it again; it may be cut off",
        ) from error
    if not within and not any(into.iterdir()):
        raise StorageError(f"{source}: the archive holds no files")


def _untar(archive: Path, into: Path, source: str, within: str) -> None:
    with tarfile.open(archive) as packed:
        members = [one for one in packed.getmembers() if _is_below(one.name, within)]
        if within and (removals := [one.name for one in members if one.name.rpartition("/")[2].startswith(".wh.")]):
            raise StorageError(
                f"{source}: the layer takes back files of another one ({removals[0]}), which is not supported",
                fix="build the image so that models/ comes from one layer, or squash it",
            )
        _check_space(into, sum(one.size for one in members))
        # PEP 706: no absolute paths, no "..", no links out of the directory, no devices.
        packed.extractall(into, members, filter="data")


def _is_below(name: str, directory: str) -> bool:
    path = name.removeprefix("./").lstrip("/")
    return not directory or path == directory or path.startswith(f"{directory}/")


def _unzip(archive: Path, into: Path, source: str) -> None:
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        _check_space(into, sum(one.file_size for one in members))
        for one in members:
            path = safe_path(one.filename.replace("\\", "/"), source)
            if stat.S_ISLNK(one.external_attr >> 16):
                raise StorageError(f"{source}: refused: {path} is a link", fix="pack the files that links lead to")
            packed.extract(one, into)


def _check_space(into: Path, wanted: int) -> None:
    if wanted > shutil.disk_usage(into).free:
        raise full(into, wanted)
