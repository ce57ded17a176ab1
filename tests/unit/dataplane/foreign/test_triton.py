"""How Triton is started, and what of its output says why it ended."""

from pathlib import Path

import pytest

from inferplane.dataplane.foreign import triton
from inferplane.dataplane.foreign.triton import Cause, Installation, NoTriton, command, empty, installation, repository

KSERVES = ["tritonserver", "--model-store=/mnt/models", "--grpc-port=9000", "--http-port=8080"]


def test_it_listens_on_the_pods_address_alone() -> None:
    found = command(Installation(Path("/bin/tritonserver")), KSERVES, "127.1.2.3")
    addresses = [f"--{one}-address=127.1.2.3" for one in ("http", "grpc", "metrics")]
    assert found == ["/bin/tritonserver", *KSERVES[1:], *addresses]


def test_what_the_container_says_itself_stays() -> None:
    given = ["--http-address=0.0.0.0", "--backend-directory=/mine"]
    found = command(Installation(Path("/t"), Path("/backends")), given, "127.1.2.3")
    assert found == ["/t", *given, "--grpc-address=127.1.2.3", "--metrics-address=127.1.2.3"]


def test_back_ends_that_were_put_together_are_named() -> None:
    assert "--backend-directory=/b" in command(Installation(Path("/t"), Path("/b")), KSERVES, "127.0.0.1")


def test_an_installation_on_the_path_comes_first(tmp_path: Path) -> None:
    program = tmp_path / "tritonserver"
    program.touch(mode=0o755)
    assert installation({"PATH": str(tmp_path)}, tmp_path / "empty") == Installation(program)


def test_a_machine_without_triton_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(triton, "find_spec", lambda name: None)
    with pytest.raises(NoTriton, match="pip install nvidia-pytriton"):
        installation({"PATH": ""}, tmp_path)


@pytest.mark.parametrize(
    "words", [["--model-store=/m", "--x"], ["--model-store", "/m"], ["--model-repository=/m", "--model-store=/n"]]
)
def test_the_repository_is_what_the_arguments_name(words: list[str]) -> None:
    assert repository(words) == Path("/m")


def test_a_repository_has_versions_of_models(tmp_path: Path) -> None:
    (tmp_path / "iris" / "1").mkdir(parents=True)
    assert empty(tmp_path) == ""


def test_a_file_where_models_are_expected_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    (tmp_path / "iris").mkdir()
    assert empty(tmp_path) == (
        f"{tmp_path}: no model in Triton's layout: expected NAME/VERSION/FILE, as iris/1/model.py, "
        "found iris/, model.onnx"
    )


def test_the_first_failure_of_each_model_is_the_cause_without_its_stack() -> None:
    cause = Cause()
    at = "E1124 03:04:05.1 7 model_lifecycle.cc:654]"
    for line in (
        rf""" {at} "failed to load 'iris' version 1: Internal: no module named x\n\nAt:\n  m.py(1)" """,
        rf""" {at} "failed to load 'iris' version 2: Internal: another" """,
        "error: creating server: Internal - failed to load all models",
    ):
        cause.hear(line)
    assert str(cause) == "model iris: Internal: no module named x"


def test_without_a_model_the_servers_own_words_are_the_cause() -> None:
    cause = Cause()
    cause.hear("I1124 server.cc:674] ready\n")
    cause.hear("error: creating server: Internal - Could not get MetaData for bucket\n")
    assert str(cause) == "Internal - Could not get MetaData for bucket"
