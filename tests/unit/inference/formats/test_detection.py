"""What models are told to be by their files alone, and what is said where another format was named."""

import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from inferplane.inference.formats.boosters import needed_version, xgboost
from inferplane.inference.formats.detection import amiss, found_in, mismatch, named, recognized, several
from inferplane.inference.formats.found import Found, Sample

ROWS = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
CLASSES = [0, 1, 0, 1]
HERE = sklearn.__version__


class Ours:
    """A model of one's own."""


def told(directory: Path) -> list[str]:
    return [str(one) for one in found_in(directory)]


def zipped(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)


# Pickles.


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_a_pickle_tells_class_and_version(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(RandomForestClassifier(3).fit(ROWS, CLASSES), protocol))
    assert told(tmp_path) == [f"sklearn {HERE} pickle (RandomForestClassifier), from model.pkl"]


@pytest.mark.parametrize("compress", [0, 3, "gzip", "bz2", "xz"])
def test_a_joblib_file_tells_class_and_version_packed_or_not(tmp_path: Path, compress: int | str) -> None:
    joblib.dump(make_pipeline(StandardScaler(), SVC()).fit(ROWS, CLASSES), tmp_path / "m.joblib", compress=compress)
    (found,) = found_in(tmp_path)
    assert (found.format, found.version, found.what) == ("sklearn", HERE, "Pipeline")


def test_a_pickle_of_ones_own_class_names_the_class(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Ours()))
    assert told(tmp_path) == [f"pickle ({__name__}.Ours), from model.pkl"]


@pytest.mark.parametrize("value", [{"not": "a model"}, [1], OrderedDict(a=1), np.zeros(3)])
def test_values_are_no_models(tmp_path: Path, value: object) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(value))
    assert found_in(tmp_path) == []


def test_nothing_in_a_pickle_is_run(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04\x8c\x08builtins\x8c\x04exit\x93)R.")
    assert found_in(tmp_path) == []
    (tmp_path / "model.pkl").write_bytes(b"cos\nabort\n(tR.")
    assert told(tmp_path) == ["pickle (os.abort), from model.pkl"]


# Boosters, graphs.


def test_boosters_tell_the_version_that_wrote_them(tmp_path: Path) -> None:
    library = pytest.importorskip("xgboost", reason="the extra xgboost is not installed")
    booster = library.train({"nthread": 1, "verbosity": 0}, library.DMatrix(ROWS, CLASSES), 2)
    for name in ("a.json", "b.ubj"):
        booster.save_model(tmp_path / name)
    assert told(tmp_path) == [
        f"XGBoost {library.__version__} booster, from a.json",
        f"XGBoost {library.__version__} booster, from b.ubj",
    ]


OLD = bytes(136) + (14).to_bytes(8, "little") + b"binary:logistic" + (6).to_bytes(8, "little") + b"gbtree" + bytes(99)


@pytest.mark.parametrize("content", [b"binf" + OLD, OLD])
def test_an_old_binary_booster_needs_the_last_version_that_reads_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.bst").write_bytes(content)
    assert told(tmp_path) == ["XGBoost booster (old binary format), from model.bst"]
    with (tmp_path / "model.bst").open("rb") as stream:
        assert needed_version(stream) == "3.0"


@pytest.mark.parametrize(
    "content", [b'{"learner": {}}', b"{L" + bytes(7) + b"\7learner", b"tree\nversion=v4\n", bytes(500)]
)
def test_other_files_need_no_version_of_xgboost(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.bst").write_bytes(content)
    with (tmp_path / "model.bst").open("rb") as stream:
        assert needed_version(stream) is None


def test_lightgbms_text_is_known_whatever_its_name(tmp_path: Path) -> None:
    library = pytest.importorskip("lightgbm", reason="the extra lightgbm is not installed")
    settings = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 1, "min_data_in_bin": 1}
    library.train(settings, library.Dataset(ROWS, CLASSES), 2).save_model(tmp_path / "model.bst")
    (tmp_path / "notes.txt").write_text("tree\nhouse\n")
    assert told(tmp_path) == ["LightGBM booster, from model.bst"]


def test_onnx_tells_opset_and_who_made_it(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    from onnx import TensorProto, helper, save

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out])
    opsets = [helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("", 17)]
    made = helper.make_model(graph, producer_name="pytorch", producer_version="2.4", opset_imports=opsets)
    save(made, str(tmp_path / "model.bin"))
    assert told(tmp_path) == ["ONNX graph (opset 17, made by pytorch 2.4), from model.bin"]
    cut = (tmp_path / "model.bin").read_bytes()[:60]
    (tmp_path / "model.bin").write_bytes(cut)
    assert [one.format for one in found_in(tmp_path)] == ["onnx"]


# Archives.


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"m__constants_dot_pkl": b"", "m__data_dot_pkl": b""}, "TorchScript archive, from model.pt"),
        ({"m__archive_format": b"pt2"}, "PyTorch exported program, from model.pt"),
        ({"serialized_exported_program_dot_json": b"{}"}, "PyTorch exported program, from model.pt"),
        ({"m__data_dot_pkl": b"\x80\x02ccollections\nOrderedDict\n)R."}, "PyTorch weights, from model.pt"),
        ({"m__data_dot_pkl": b"\x80\x02cnets\nFlowers\n)R."}, "PyTorch pickled module (Flowers), from model.pt"),
        (
            {"MAR-INF__MANIFEST_dot_json": json.dumps({"model": {"modelName": "mnist"}}).encode()},
            "TorchServe archive (mnist), from model.pt",
        ),
        (
            {"metadata_dot_json": b'{"keras_version": "3.9.0"}', "config_dot_json": b"{}"},
            "Keras 3.9.0 model, from model.pt",
        ),
        ({"schema_dot_json": b"{}"}, "skops archive, from model.pt"),
    ],
)
def test_an_archive_tells_by_its_members(tmp_path: Path, members: dict[str, bytes], said: str) -> None:
    zipped(tmp_path / "model.pt", **members)
    assert told(tmp_path) == [said]


def test_an_archive_of_something_else_is_no_model(tmp_path: Path) -> None:
    zipped(tmp_path / "model.zip", readme=b"hello")
    assert found_in(tmp_path) == []


def test_a_cut_archive_of_pytorch_is_still_known(tmp_path: Path) -> None:
    zipped(tmp_path / "model.pt", m__constants_dot_pkl=bytes(500))
    (tmp_path / "model.pt").write_bytes((tmp_path / "model.pt").read_bytes()[:300])
    assert told(tmp_path) == ["PyTorch archive (cut off), from model.pt"]


def test_keras_in_hdf5_is_known(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99) + b"keras_version")
    (found,) = found_in(tmp_path)
    assert (found.format, "SavedModel" in found.advice) == ("keras", True)


# Documents and layouts.


def pmml(directory: Path) -> None:
    (directory / "model.xml").write_text(
        '<?xml version="1.0"?>\n<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header>'
        '<Application name="SkLearn2PMML"/></Header></PMML>'
    )


def paddle(directory: Path) -> None:
    (directory / "model.json").write_text('{"base_code": {"magic": "pir", "version": 1}, "program": {}}')


def old_paddle(directory: Path) -> None:
    (directory / "model.pdmodel").write_bytes(b"\x0a\x99")
    (directory / "model.pdiparams").write_bytes(b"\0")


def mlflow(directory: Path) -> None:
    (directory / "MLmodel").write_text(
        "artifact_path: model\nflavors:\n  python_function:\n    env: x\n    loader_module: mlflow.sklearn\n"
        "  sklearn:\n    code: null\nmlflow_version: 3.1.0\n"
    )
    joblib.dump(SVC(), directory / "model.pkl")


def saved_model(directory: Path) -> None:
    (directory / "1").mkdir()
    (directory / "2").mkdir()
    (directory / "1" / "saved_model.pb").write_bytes(b"\x08\x01\x12\x09\x2a\x062.14.0\x32\x03git")
    (directory / "2" / "saved_model.pb").write_bytes(b"\x08\x01\x12\x09\x2a\x062.15.1\x32\x03git")


def huggingface(directory: Path) -> None:
    told: dict[str, object] = {"architectures": ["BertForMaskedLM"], "transformers_version": "4.57.0"}
    (directory / "config.json").write_text(json.dumps(told))
    (directory / "model.safetensors").write_bytes(bytes(64))


def triton(directory: Path) -> None:
    (directory / "flowers" / "1").mkdir(parents=True)
    (directory / "flowers" / "config.pbtxt").write_text('name: "flowers"\nbackend: "onnxruntime"\n')
    (directory / "flowers" / "1" / "model.onnx").write_bytes(b"\x08\x08")


@pytest.mark.parametrize(
    ("make", "format", "said"),
    [
        (pmml, "pmml", "PMML 4.4 document (made by SkLearn2PMML), from model.xml"),
        (paddle, "paddle", "Paddle program, from model.json"),
        (old_paddle, "paddle", "Paddle program, from model.pdmodel"),
        (mlflow, "mlflow", "MLflow 3.1.0 model (python_function, sklearn), from MLmodel"),
        (saved_model, "tensorflow", "TensorFlow 2.15.1 SavedModel, from 2/saved_model.pb"),
        (huggingface, "huggingface", "Transformers 4.57.0 model (BertForMaskedLM), from config.json"),
        (triton, "triton", "Triton model (onnxruntime), from flowers/config.pbtxt"),
    ],
)
def test_layouts_and_documents_are_known(tmp_path: Path, make: Callable[[Path], None], format: str, said: str) -> None:
    make(tmp_path)
    (found,) = found_in(tmp_path)
    assert (found.format, str(found)) == (format, said)


def test_models_of_a_repository_are_found_below(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        joblib.dump(SVC(), tmp_path / name / "model.joblib")
    assert [one.file for one in found_in(tmp_path)] == ["one/model.joblib", "two/model.joblib"]
    assert not several(found_in(tmp_path))


# What is no model.


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"{}", b'{"a": 1}', bytes(99), b"\x08\x01", b"PK\3\4", b"<html/>", b"\x80\x04nonsense"]
)
def test_other_files_are_no_models(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert recognized(tmp_path / "file") is None


def test_a_directory_that_is_not_there_has_no_models(tmp_path: Path) -> None:
    assert found_in(tmp_path / "absent") == []


def test_names_are_the_last_resort(tmp_path: Path) -> None:
    for name in ("model.pkl", "model.onnx", "README.md"):
        (tmp_path / name).write_bytes(b"hello")
    assert [(one.format, one.file) for one in named(tmp_path)] == [("onnx", "model.onnx"), ("sklearn", "model.pkl")]


# Another format than the one that was named.

BOOSTER = Found("xgboost", "XGBoost", "booster", "2.1.0", file="model.bst")
PICKLED = Found("sklearn", "xgboost", "pickle", what="XGBClassifier", file="m.pkl", advice="save the booster")


def test_the_format_of_the_files_is_named_with_what_to_write() -> None:
    assert mismatch("sklearn", [BOOSTER]) == (
        "the service says sklearn, model.bst is an XGBoost 2.1.0 booster",
        "modelFormat.name: xgboost",
    )
    assert mismatch("xgboost", [PICKLED]) == (
        "the service says xgboost, m.pkl is an xgboost pickle (XGBClassifier)",
        "save the booster",
    )


def test_where_the_format_is_among_the_files_it_is_not_the_reason() -> None:
    assert mismatch("xgboost", [PICKLED, BOOSTER]) is None
    assert mismatch("xgboost", []) is None


def test_a_pointer_of_git_lfs_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n")
    assert amiss("sklearn", tmp_path) == (
        "model.pkl is a pointer of Git LFS, not the file itself",
        "run git lfs pull and copy it again",
    )


def test_a_booster_whose_version_cannot_be_read_has_none() -> None:

    found = xgboost(Sample("model.json", b'{"learner": {}}', lambda: BytesIO(b'{"learner": {}}')))
    assert found is not None
    assert found.phrase == "XGBoost booster"
