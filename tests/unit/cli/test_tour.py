from pathlib import Path

import pytest

from inferplane.assembly.home import Home
from inferplane.cli.prediction import Answer, target
from inferplane.cli.tour import EXAMPLE, Example, exchange, find_example, try_next
from inferplane.kernel.errors import InferplaneError

REPOSITORY = Path(__file__).parents[3]
HERE = Example(REPOSITORY / EXAMPLE)


def test_the_example_is_found_from_any_directory_of_the_repository() -> None:
    assert find_example(None, REPOSITORY).directory == EXAMPLE
    assert find_example(None, REPOSITORY / "src").directory == REPOSITORY / EXAMPLE


def test_without_an_example_it_is_said_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(InferplaneError, match="give --example DIR"):
        find_example(None, tmp_path)
    with pytest.raises(InferplaneError, match=r"holds no isvc\.yaml"):
        find_example(tmp_path, REPOSITORY)


def test_the_model_belongs_where_the_claim_of_the_example_is(tmp_path: Path) -> None:
    assert HERE.service == "sklearn-iris"
    assert HERE.model(Home(tmp_path)) == tmp_path / "volumes/default/models/sklearn-iris"


def test_an_example_whose_model_is_elsewhere_is_refused_with_the_line(tmp_path: Path) -> None:
    text = HERE.file("isvc.yaml").read_text().replace("pvc://models/sklearn-iris", "s3://bucket/iris")
    (tmp_path / "isvc.yaml").write_text(text)
    with pytest.raises(InferplaneError, match=r"isvc\.yaml:22: storageUri: expected pvc://CLAIM/PATH, got s3://"):
        Example(tmp_path).model(Home(tmp_path))


def test_both_exchanges_are_shown_with_their_times() -> None:
    v1 = target("http://iris.localhost", "/v1/models/iris:predict", "http://localhost:8080")
    lines = exchange("v1", v1, b'{"instances": [[1]]}\n', Answer(200, b'{"predictions": [1]}', 0.0009))
    assert lines[:3] == ["", "V1  POST http://iris.localhost:8080/v1/models/iris:predict", '    {"instances": [[1]]}']
    assert lines[3].split() == ["→", '{"predictions":', "[1]}", "0.9", "ms"]
    v2 = target("http://iris.localhost", "/v2/models/iris/infer", "http://localhost:8080")
    assert exchange("v2", v2, b"{}", Answer(200, b"{}", 0.001))[0] == "V2  POST …/v2/models/iris/infer"


def test_the_next_commands_name_a_home_of_its_own(tmp_path: Path) -> None:
    commands = try_next(Home(tmp_path), Example(EXAMPLE), "http://x/v1/models/sklearn-iris:predict")
    assert f"  export INFERPLANE_HOME={tmp_path}" in commands
    assert f"  curl http://x/v1/models/sklearn-iris:predict -d @{EXAMPLE}/request-v1.json" in commands
