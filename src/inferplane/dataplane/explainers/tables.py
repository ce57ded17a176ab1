"""Rows that an explainer compares with: a file beside the model, or one that a flag names."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inferplane.inference.errors import ModelLoadError
from inferplane.kernel.json import Json

NAMES = ("background.csv", "background.npy", "background.json")
"""Looked for in the model's directory."""


@dataclass(frozen=True, slots=True)
class Table:
    """`names` are the columns', empty where the file does not say them."""

    rows: NDArray[np.float64]
    names: Sequence[str] = ()


def beside(directory: Path) -> Path | None:
    """The file of background rows in a model's directory."""
    return next((directory / name for name in NAMES if (directory / name).is_file()), None)


def read(file: Path) -> Table:
    """A .csv (with a line of names or without), .npy or .json (a list of rows). ModelLoadError for anything else."""
    readers = {".csv": _csv, ".npy": _npy, ".json": _json}
    reader = readers.get(file.suffix)
    if reader is None:
        raise ModelLoadError(f"{file}: expected a file of rows that ends in {', '.join(readers)}")
    try:
        table = reader(file)
    except (OSError, ValueError, TypeError) as error:
        raise ModelLoadError(f"{file}: cannot be read as rows of numbers: {error}") from error
    if table.rows.ndim != 2 or not table.rows.size:
        raise ModelLoadError(f"{file}: expected rows of numbers, got an array of shape {table.rows.shape}")
    return table


def _csv(file: Path) -> Table:
    with file.open(newline="") as stream:
        lines = [line for line in csv.reader(stream) if line]
    named = bool(lines) and not all(_is_number(cell) for cell in lines[0])
    rows = np.array([[float(cell) for cell in line] for line in lines[named:]])
    return Table(rows, tuple(lines[0]) if named else ())


def _npy(file: Path) -> Table:
    return Table(np.asarray(np.load(file, allow_pickle=False), dtype=np.float64))


def _json(file: Path) -> Table:
    value: Json = json.loads(file.read_bytes())
    return Table(np.array(value, dtype=np.float64))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
