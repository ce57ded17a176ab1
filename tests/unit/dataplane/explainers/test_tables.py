from pathlib import Path

import numpy as np
import pytest

from inferplane.dataplane.explainers import tables
from inferplane.inference.errors import ModelLoadError

ROWS = [[1.0, 2.5], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("name", "content", "names"),
    [
        ("a.csv", "width,height\n1,2.5\n3,4\n", ("width", "height")),
        ("a.csv", "1,2.5\n\n3,4\n", ()),
        ("a.json", "[[1, 2.5], [3, 4]]", ()),
    ],
)
def test_rows_are_read_with_the_names_that_are_there(
    tmp_path: Path, name: str, content: str, names: tuple[str, ...]
) -> None:
    (tmp_path / name).write_text(content)
    table = tables.read(tmp_path / name)
    assert (table.rows.tolist(), table.names) == (ROWS, names)


def test_arrays_are_read_and_found_beside_a_model(tmp_path: Path) -> None:
    np.save(tmp_path / "background.npy", np.array(ROWS))
    file = tables.beside(tmp_path)
    assert file is not None
    assert tables.read(file).rows.tolist() == ROWS
    assert tables.beside(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "a,b\n1,x\n", "rows of numbers"),
        ("a.csv", "", "expected rows of numbers"),
        ("a.csv", "1,2\n3\n", "rows of numbers"),
        ("a.json", "{}", "rows of numbers"),
        ("a.json", "[1, 2]", "got an array of shape"),
        ("a.npy", "no array", "rows of numbers"),
        ("a.parquet", "", r"ends in \.csv, \.npy, \.json"),
    ],
)
def test_a_file_that_holds_no_rows_is_named(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ModelLoadError, match=words) as refused:
        tables.read(tmp_path / name)
    assert str(tmp_path / name) in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"missing\.csv: cannot be read"):
        tables.read(tmp_path / "missing.csv")
