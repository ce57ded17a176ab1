"""What stands in for `tensorflow_model_server` (image `tensorflow/serving`): its flags, as our own server's.

Without `--model_base_path` it is the image's entry point, which makes one of MODEL_BASE_PATH and MODEL_NAME. Fit to be
called in a process forked from one that has imported this module.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from inferplane.assembly import model_server
from inferplane.assembly.model_server_options import UsageError
from inferplane.assembly.server_flags import yes_or_no
from inferplane.kernel.errors import InferplaneError

# TensorFlow Serving's, some of its image's: https://www.tensorflow.org/tfx/serving/docker
PORT = 8500
REST_PORT = 8501
TIMEOUT = 30000

WITHOUT_EFFECT = (
    "--allow_version_labels_for_unavailable_models",
    "--enable_grpc_healthcheck_service",
    "--enable_model_warmup",
    "--enable_profiler",
    "--enable_serialization_as_tensor_content",
    "--file_system_poll_wait_seconds",
    "--flush_filesystem_caches",
    "--grpc_channel_arguments",
    "--grpc_max_threads",
    "--load_retry_interval_micros",
    "--max_num_load_retries",
    "--model_config_file_poll_wait_seconds",
    "--monitoring_config_file",
    "--num_load_threads",
    "--num_request_iterations_for_warmup",
    "--num_unload_threads",
    "--remove_unused_fields_from_bundle_metagraph",
    "--rest_api_num_threads",
    "--skip_initialize_tpu",
    "--tensorflow_inter_op_parallelism",
    "--tensorflow_session_parallelism",
    "--thread_pool_factory_config_file",
    "--xla_cpu_compilation_enabled",
    "--xla_gpu_compilation_enabled",
)
"""Flags of tensorflow_model_server about what is otherwise here: threads, polling, loading again, metrics."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit code: 1 when a model cannot be served, 2 for wrong flags."""
    try:
        ours = translated(sys.argv[1:] if argv is None else argv, os.environ)
    except InferplaneError as error:
        print(f"tensorflow_model_server: {error}", file=sys.stderr)
        return model_server.MISUSED
    return model_server.main(ours)


class _Reader(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, fix="give the flags as --NAME=VALUE")


def translated(arguments: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The flags of `inferplane serve` that mean the same; what is not TensorFlow Serving's follows as it is.

    Raises UsageError.
    """
    found, others = _reader().parse_known_args(arguments)
    name = found.model_name or environ.get("MODEL_NAME") or "default"
    ours = ["--format=tensorflow", f"--model_name={name}", f"--http_port={found.rest_api_port}"]
    ours += [f"--grpc_port={found.port}"] if found.port else ["--enable_grpc=false"]
    ours.append(f"--model_dir={_base_path(found, environ)}")
    if found.model_config_file:
        ours.append(f"--model_config_file={found.model_config_file}")
    if found.rest_api_timeout_in_ms > 0:
        ours.append(f"--request_timeout={found.rest_api_timeout_in_ms / 1000}")
    if found.tensorflow_intra_op_parallelism > 0:
        ours.append(f"--nthread={found.tensorflow_intra_op_parallelism}")
    return [*ours, *_batching(found), *others]


def _base_path(found: argparse.Namespace, environ: Mapping[str, str]) -> str:
    if found.model_base_path:
        return str(found.model_base_path)
    if found.model_config_file:
        return str(Path(found.model_config_file).parent)
    name = environ.get("MODEL_NAME")
    if not name:
        raise UsageError("--model_base_path is missing", fix="or give --model_config_file, or the variable MODEL_NAME")
    return f"{environ.get('MODEL_BASE_PATH') or '/models'}/{name}"


def _batching(found: argparse.Namespace) -> list[str]:
    """Rows of a batch, and how long it waits for them."""
    if not found.enable_batching:
        return []
    from inferplane.inference.tensorflow.configuration import ConfigurationError, batching  # of no use to most

    file = found.batching_parameters_file
    try:
        parameters = batching(Path(file).read_text() if file else "")
    except OSError as error:
        raise UsageError(f"--batching_parameters_file {file}: cannot be read: {error.strerror}") from error
    except ConfigurationError as error:
        raise UsageError(f"--batching_parameters_file {file}: {error}") from error
    return [f"--max_batch_size={parameters.max_batch_size}", f"--max_latency={parameters.timeout * 1000:g}"]


def _reader() -> _Reader:
    reader = _Reader(prog="tensorflow_model_server", add_help=False, allow_abbrev=False)
    reader.add_argument("--port", type=int, default=PORT)
    reader.add_argument("--rest_api_port", type=int, default=REST_PORT)
    reader.add_argument("--rest_api_timeout_in_ms", type=int, default=TIMEOUT)
    reader.add_argument("--model_name", default="")
    reader.add_argument("--model_base_path", default="")
    reader.add_argument("--model_config_file", default="")
    reader.add_argument("--tensorflow_intra_op_parallelism", type=int, default=0)
    reader.add_argument("--enable_batching", type=yes_or_no, nargs="?", const=True, default=False)
    reader.add_argument("--batching_parameters_file", default="")
    for flag in WITHOUT_EFFECT:
        reader.add_argument(flag, nargs="?")
    return reader


if __name__ == "__main__":
    sys.exit(main())
