from pathlib import Path

import pytest

from inferplane.assembly import model_server
from inferplane.assembly.model_server_options import parse


def test_the_log_is_set_up_as_the_flags_say() -> None:
    given = parse(
        ["--model_dir=.", "--enable_latency_logging=true", "--configure_logging=no", "--log_config_file=l.ini"]
    )
    assert (given.enable_latency_logging, given.configure_logging, given.log_config_file) == (True, False, "l.ini")
    plain = parse(["--model_dir=."])
    assert (plain.enable_latency_logging, plain.configure_logging, plain.log_config_file) == (False, True, "")


@pytest.mark.parametrize("content", [None, "{", '{"version": 2}'])
def test_a_log_configuration_that_cannot_be_followed_is_misuse(
    content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "log.json"
    if content is not None:
        file.write_text(content)
    assert model_server.main(["--model_dir=.", f"--log_config_file={file}"]) == model_server.MISUSED
    assert capsys.readouterr().err.startswith(f"inferplane serve: --log_config_file {file}: ")
