"""Files that are archives: PyTorch's three kinds, TorchServe's `.mar`, Keras's `.keras`, skops; and HDF5."""

import json
import zipfile

from inferplane.inference.formats.found import Found, Sample
from inferplane.inference.formats.pickles import first_named

_HDF5 = b"\x89HDF\r\n\x1a\n"
_SAVED_MODEL = "model.export(DIRECTORY) makes a SavedModel of it: serve that as tensorflow"
_MOST = 64 * 1024


def archive(file: Sample) -> Found | None:
    if not file.head.startswith(b"PK\3\4"):
        return None
    try:
        with file.open() as stream, zipfile.ZipFile(stream) as opened:
            return _kind(file.name, opened)
    except (zipfile.BadZipFile, OSError, ValueError, KeyError):
        if b"constants.pkl" in file.head or b"/data.pkl" in file.head or b"archive_format" in file.head:
            return Found("pytorch", "PyTorch", "archive", what="cut off", file=file.name)
        return None


def _kind(name: str, opened: zipfile.ZipFile) -> Found | None:
    members = opened.namelist()
    if any(one.endswith(("archive_format", "serialized_exported_program.json")) for one in members):
        return Found("pytorch", "PyTorch", "exported program", file=name)
    if any(one.endswith("/constants.pkl") for one in members):
        return Found("pytorch", "TorchScript", "archive", file=name)
    data = next((one for one in members if one.endswith("data.pkl")), None)
    if data is not None:
        return _torch_pickle(name, opened, data)
    if "MAR-INF/MANIFEST.json" in members:
        model = json.loads(_text(opened, "MAR-INF/MANIFEST.json")).get("model", {})
        return Found("pytorch", "TorchServe", "archive", what=str(model.get("modelName", "")), file=name)
    if "metadata.json" in members and "config.json" in members:
        version = str(json.loads(_text(opened, "metadata.json")).get("keras_version", ""))
        return Found("keras", "Keras", "model", version, file=name, advice=_SAVED_MODEL)
    if "schema.json" in members:
        return Found("skops", "skops", "archive", file=name, advice="load it with skops and save it with joblib.dump")
    return None


def _torch_pickle(name: str, opened: zipfile.ZipFile, member: str) -> Found:
    with opened.open(member) as stream:
        module, what = first_named(stream.read(_MOST)) or ("", "")
    if module in ("collections", "builtins", ""):
        return Found("pytorch", "PyTorch", "weights", file=name)
    return Found("pytorch", "PyTorch", "pickled module", what=what, file=name)


def _text(opened: zipfile.ZipFile, member: str) -> bytes:
    with opened.open(member) as stream:
        return stream.read(_MOST)


def hdf5(file: Sample) -> Found | None:
    if not file.head.startswith(_HDF5):
        return None
    if b"keras" in file.head or b"layer_names" in file.head or b"model_config" in file.head:
        return Found("keras", "Keras", "HDF5 file", file=file.name, advice=_SAVED_MODEL)
    return Found("", "", "HDF5 file", file=file.name)
