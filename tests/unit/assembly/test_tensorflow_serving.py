from pathlib import Path

import pytest

from inferplane.assembly.configured_models import based
from inferplane.assembly.model_server_options import UsageError
from inferplane.assembly.tensorflow_serving import translated

KSERVES = [
    "--model_name=m",
    "--port=9000",
    "--rest_api_port=8080",
    "--model_base_path=/mnt/models",
    "--rest_api_timeout_in_ms=60000",
]


def test_the_arguments_of_kserves_runtime_are_ours() -> None:
    assert translated(KSERVES, {}) == [
        "--format=tensorflow",
        "--model_name=m",
        "--http_port=8080",
        "--grpc_port=9000",
        "--model_dir=/mnt/models",
        "--request_timeout=60.0",
    ]


def test_the_images_entry_point_has_its_model_from_the_environment() -> None:
    found = translated([], {"MODEL_NAME": "m"})
    assert found == [
        "--format=tensorflow",
        "--model_name=m",
        "--http_port=8501",
        "--grpc_port=8500",
        "--model_dir=/models/m",
        "--request_timeout=30.0",
    ]


def test_port_0_is_no_grpc_and_flags_of_our_own_go_on() -> None:
    found = translated(["--port=0", "--model_base_path=/m", "--enable_tracing=true"], {})
    assert "--enable_grpc=false" in found
    assert found[-1] == "--enable_tracing=true"


def test_a_configuration_file_needs_no_base_path() -> None:
    found = translated(["--model_config_file=/c/models.config"], {})
    assert {"--model_config_file=/c/models.config", "--model_dir=/c"} <= set(found)


def test_batching_is_that_of_the_parameters_file(tmp_path: Path) -> None:
    file = tmp_path / "batching"
    file.write_text("max_batch_size { value: 64 } batch_timeout_micros { value: 2500 }")
    given = ["--model_base_path=/m", "--enable_batching", f"--batching_parameters_file={file}"]
    assert translated(given, {})[-2:] == ["--max_batch_size=64", "--max_latency=2.5"]
    assert translated([*given[:1], "--enable_batching=false"], {})[-1] == "--request_timeout=30.0"


def test_flags_about_what_is_otherwise_here_are_taken() -> None:
    given = ["--model_base_path=/m", "--file_system_poll_wait_seconds=0", "--enable_model_warmup"]
    assert translated(given, {}) == translated(given[:1], {})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "--model_base_path is missing"),
        (["--port=x", "--model_base_path=/m"], "argument --port: invalid int value: 'x'"),
        (["--model_base_path=/m", "--enable_batching", "--batching_parameters_file=/none"], "/none: cannot be read"),
    ],
)
def test_wrong_flags_are_named(given: list[str], words: str) -> None:
    with pytest.raises(UsageError) as raised:
        translated(given, {})
    assert words in str(raised.value)


def test_a_file_of_batching_that_is_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "batching"
    file.write_text("max_batch_size = 64")
    with pytest.raises(UsageError, match="not BatchingParameters: 1:"):
        translated(["--model_base_path=/m", "--enable_batching", f"--batching_parameters_file={file}"], {})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("flowers", "/conf/flowers"),
        ("/mnt/models/flowers", "/home/pod/models/flowers"),
        ("/mnt/models", "/home/pod/models"),
        ("/else/where", "/else/where"),
    ],
)
def test_a_models_directory_is_beside_the_file_or_where_the_container_has_it(path: str, expected: str) -> None:
    assert based(Path(path), Path("/conf"), Path("/home/pod/models")) == Path(expected)
