from pathlib import Path

import pytest

from inferplane.assembly import model_server
from inferplane.assembly.model_server_options import UsageError, parse


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


def test_the_predictor_is_the_one_of_the_flags() -> None:
    given = parse(
        [
            "--model_dir=.",
            "--predictor_host=p:80",
            "--predictor_protocol=grpc-v2",
            "--predictor_use_ssl=true",
            "--predictor_request_timeout_seconds=7",
            "--predictor_request_retries=2",
            "--enable_predictor_health_check",
        ]
    )
    asked = given.predictor
    assert (asked.predictor_host, asked.protocol, asked.predictor_base_url) == ("p:80", "grpc-v2", "https://p:80")
    assert (asked.timeout, asked.retries, asked.predictor_health_check) == (7, 2, True)
    assert given.warnings == ()


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        ("--max_threads=8", "gRPC has no threads of its own here"),
        ("--protocol=v2", "use --predictor_protocol"),
        ("--predictor_host=p", "this model predicts by itself"),
        ("--enable_predictor_health_check", "no --predictor_host"),
    ],
)
def test_a_flag_that_changes_nothing_is_warned_of(flag: str, why: str) -> None:
    (warning,) = parse(["--model_dir=.", flag]).warnings
    assert warning.startswith(flag.split("=")[0] + ": ")
    assert why in warning


def test_flags_that_nobody_gave_are_not_warned_of() -> None:
    assert parse(["--model_dir=."]).warnings == ()


@pytest.mark.parametrize(
    "flag",
    [
        "--max_asyncio_workers=0",
        "--predictor_request_timeout_seconds=0",
        "--predictor_request_retries=-1",
        "--predictor_protocol=v3",
        "--grpc_max_send_message_length=-2",
        "--max_request_size=0",
        "--predictor_use_ssl=perhaps",
    ],
)
def test_a_value_that_a_flag_cannot_have_is_misuse_and_the_flag_is_named(flag: str) -> None:
    with pytest.raises(UsageError, match=flag.split("=")[0]):
        parse(["--model_dir=.", flag])


def test_kserves_predictive_server_names_the_format_a_framework() -> None:
    assert parse(["--model_dir=.", "--framework=xgboost", "--nthread=1"]).format == "xgboost"
    with pytest.raises(UsageError, match=r"--framework.*'onnx'"):
        parse(["--model_dir=.", "--framework=onnx"])
