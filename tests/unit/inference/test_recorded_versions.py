"""The version that a model file records, read from its bytes alone."""

import bz2
import gzip
import io
import lzma
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from inferplane.inference.recorded_versions import SEARCHED, sklearn_version

ROWS, CLASSES = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), [0, 1, 0, 1]
MODEL = SVC().fit(ROWS, CLASSES)


def read(data: bytes) -> str | None:
    return sklearn_version(io.BytesIO(data))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol_is_read(protocol: int) -> None:
    assert read(pickle.dumps(MODEL, protocol)) == sklearn.__version__


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_packed_files_are_read(pack: Callable[[bytes], bytes]) -> None:
    assert read(pack(pickle.dumps(MODEL))) == sklearn.__version__


@pytest.mark.parametrize("compress", [0, 3, ("xz", 1), ("lzma", 1)])
def test_joblib_files_are_read_though_they_hold_raw_arrays(tmp_path: Path, compress: object) -> None:
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(8)).fit(ROWS, CLASSES)
    joblib.dump(forest, tmp_path / "model.joblib", compress=compress)
    with (tmp_path / "model.joblib").open("rb") as stream:
        assert sklearn_version(stream) == sklearn.__version__


def test_nothing_in_the_file_is_run() -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (pytest.fail, ("unpickled",))

    assert read(pickle.dumps({"_sklearn_version": "1.4.2", "x": Bomb()})) == "1.4.2"


def test_the_key_in_some_text_is_not_taken_for_a_version() -> None:
    assert read(pickle.dumps(["see _sklearn_version", "9.9.9"])) is None
    assert read(pickle.dumps({"a": "the _sklearn_version", "_sklearn_version": "1.4.2"})) == "1.4.2"
    assert read(pickle.dumps({"_sklearn_version": "yes, 1.4.2"})) is None


def test_a_key_that_two_reads_divide_is_found() -> None:
    for gap in range(1024 * 1024 - 40, 1024 * 1024 + 1, 3):
        assert read(b"\x80\x04" + b" " * gap + pickle.dumps({"_sklearn_version": "1.6.1"})) == "1.6.1"


@pytest.mark.parametrize("data", [b"", b"x", b"\x78\x9cnot zlib", gzip.compress(pickle.dumps(MODEL))[:60]])
def test_what_cannot_be_read_has_no_version(data: bytes) -> None:
    assert read(data) is None


def test_a_file_that_unpacks_to_far_more_than_it_is_is_given_up() -> None:
    class Counted(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.taken += len(data)
            return data

    stream = Counted(zlib.compress(bytes(4 * SEARCHED)) + bytes(8 * 1024 * 1024))
    assert sklearn_version(stream) is None
    assert stream.taken <= 2 * 1024 * 1024
