"""XGBoost's JSON, Universal Binary JSON and old binary files; LightGBM's text."""

import re
from typing import IO

from inferplane.inference.formats.found import HEAD, Found, Sample

_JSON_VERSION = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]')
# The key, then an array of three small integers (`i`: one byte, `I`: two) in Universal Binary JSON.
_UBJSON_VERSION = re.compile(rb"version\[(?:\$i)?#L.{7}\x03((?:i.|I..|L.{8}){3}|...)", re.DOTALL)
_EDGE = 4096  # bytes
_WIDTHS = {ord("i"): 1, ord("I"): 2, ord("L"): 8}
_OBJECTIVE = re.compile(rb"(?:reg|binary|multi|rank|survival|count):[a-z]")
_BOOSTER = re.compile(rb"gbtree|gblinear|dart")
# The old file starts with a table of 136 bytes, then the names of objective and booster.
_TABLE, _NAMES = 136, 512
LAST_TO_READ_BINARY = "3.0"
"""The last minor version of XGBoost that reads the old binary files."""


def xgboost(file: Sample) -> Found | None:
    head = file.head
    if head.startswith(b"{") and b"learner" in head[:_EDGE]:
        with file.open() as stream:
            return Found("xgboost", "XGBoost", "booster", version_of(stream) or "", file=file.name)
    if is_old_binary(head):
        return Found("xgboost", "XGBoost", "booster", what="old binary format", file=file.name)
    return None


def is_old_binary(head: bytes) -> bool:
    """What `save_model` wrote before 1.0, and later for names other than .json and .ubj."""
    if head.startswith(b"binf"):
        return True
    names = head[_TABLE : _TABLE + _NAMES]
    return b"\0" in head[:_TABLE] and bool(_OBJECTIVE.search(names)) and bool(_BOOSTER.search(names))


def needed_version(stream: IO[bytes]) -> str | None:
    """The version that a file has to be read with; None where any later one will do."""
    return LAST_TO_READ_BINARY if is_old_binary(stream.read(HEAD)) else None


def lightgbm(file: Sample) -> Found | None:
    if not file.head.startswith(b"tree\n") or b"\nnum_class=" not in file.head[:_EDGE]:
        return None
    return Found("lightgbm", "LightGBM", "booster", file=file.name)


def version_of(stream: IO[bytes]) -> str | None:
    """The XGBoost version that a file says it was saved with. It stands at one of the file's ends."""
    head = stream.read(_EDGE)
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _EDGE))
    edges = head + stream.read()
    text = _JSON_VERSION.findall(edges)
    if text:
        return ".".join(part.decode() for part in text[-1])
    binary = _UBJSON_VERSION.findall(edges)
    return ".".join(str(number) for number in _integers(binary[-1])) if binary else None


def _integers(packed: bytes) -> list[int]:
    if len(packed) == 3:
        return list(packed)
    numbers: list[int] = []
    while packed:
        width = _WIDTHS[packed[0]]
        numbers.append(int.from_bytes(packed[1 : 1 + width]))
        packed = packed[1 + width :]
    return numbers
