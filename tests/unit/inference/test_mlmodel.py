"""What an MLflow model says of itself, read without MLflow."""

import pytest

from inferplane.inference.mlmodel import MLmodel, NotAnMLmodel, needed, read, requirements

TEXT = """
flavors:
  python_function:
    loader_module: mlflow.xgboost
  xgboost:
    xgb_version: 3.2.0
mlflow_version: 3.17.2
"""


def test_flavours_and_the_versions_of_their_libraries_are_read() -> None:
    assert read(TEXT) == MLmodel(("python_function", "xgboost"), {"xgboost": "3.2.0"}, "mlflow.xgboost")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "expected a mapping with flavors, got list"),
        ("", "expected a mapping with flavors, got NoneType"),
        ("artifact_path: model", "expected flavors, found artifact_path"),
        ("flavors: [", "not YAML"),
    ],
)
def test_another_file_says_what_is_wrong_with_it(text: str, said: str) -> None:
    with pytest.raises(NotAnMLmodel, match=said):
        read(text)


def listed(text: str, **libraries: str) -> list[str]:
    return needed(requirements(text), libraries)


def test_versions_are_those_of_the_minor_release() -> None:
    assert listed("scikit-learn==1.4.2\nprophet==1.1.5\n") == ["prophet==1.1.*", "scikit-learn==1.4.*"]
    assert listed("torch==2.5.0+cpu") == ["torch==2.5.*"]
    assert listed("a==2\nb>=1.2,<3\nc\nd==1.0rc1") == ["a==2.0.*", "b<3,>=1.2", "c", "d==1.0rc1"]


def test_what_the_server_brings_and_what_pip_alone_reads_is_left_out() -> None:
    assert listed("mlflow==2.9.0\nmlflow-skinny\n-r other.txt\n--extra-index-url x\n# words\n./code/a.whl") == []


def test_comments_hashes_and_markers_are_understood() -> None:
    assert listed("a==1.2.3 # why\nb==1.2.3 --hash=sha256:00\nc==1.0; python_version < '3'") == ["a==1.2.*", "b==1.2.*"]


def test_xgboost_comes_without_nvidias_libraries_where_there_is_such_a_build() -> None:
    assert listed("xgboost==3.2.0") == ["xgboost-cpu==3.2.*"]
    assert listed("xgboost==1.7.6") == ["xgboost==1.7.*"]


def test_a_model_without_a_list_needs_its_flavours_libraries() -> None:
    assert listed("", lightgbm="4.6.0") == ["lightgbm==4.6.*"]
