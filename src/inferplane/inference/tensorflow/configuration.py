"""TensorFlow Serving's configuration file: models by name, each with its directory, versions and labels."""

from dataclasses import dataclass

from google.protobuf import text_format

from inferplane.inference.tensorflow import tensorflow_serving_pb2 as pb
from inferplane.inference.tensorflow.versions import Policy, Versions
from inferplane.kernel.errors import InferplaneError


class ConfigurationError(InferplaneError):
    pass


@dataclass(frozen=True, slots=True)
class Configured:
    """One model of the configuration file."""

    name: str
    base_path: str
    versions: Versions


def read(text: str) -> list[Configured]:
    """The models of a ModelServerConfig in protobuf's text form. Raises ConfigurationError, with line and column."""
    try:
        config = text_format.Parse(text, pb.ModelServerConfig(), allow_unknown_field=True)
    except text_format.ParseError as error:
        raise ConfigurationError(f"not a ModelServerConfig: {error}") from error
    found = [_configured(one, index) for index, one in enumerate(config.model_config_list.config)]
    if not found:
        raise ConfigurationError("no model in it", fix="expected model_config_list { config { name: … base_path: … } }")
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"more than one model has the name {', '.join(twice)}")
    return found


def _configured(config: pb.ModelConfig, index: int) -> Configured:
    where = f"config {index + 1}"
    for name in ("name", "base_path"):
        if not getattr(config, name):
            raise ConfigurationError(f"{where}: {name} is missing")
    if config.model_platform not in ("", "tensorflow"):
        raise ConfigurationError(f"{where}: expected model_platform tensorflow, got {config.model_platform}")
    return Configured(config.name, config.base_path, Versions(_policy(config), dict(config.version_labels)))


def _policy(config: pb.ModelConfig) -> Policy:
    given = config.model_version_policy
    match given.WhichOneof("policy_choice"):
        case "all":
            return Policy(latest=0)
        case "specific":
            if not given.specific.versions:
                raise ConfigurationError(f"model {config.name}: specific names no versions")
            return Policy(specific=tuple(given.specific.versions))
        case _:
            return Policy(latest=max(given.latest.num_versions, 1))


@dataclass(frozen=True, slots=True)
class Batching:
    """`timeout` in seconds: how long a batch waits to be full."""

    max_batch_size: int
    timeout: float


def batching(text: str) -> Batching:
    """Of a BatchingParameters in protobuf's text form; TensorFlow Serving's defaults where it says nothing."""
    try:
        found = text_format.Parse(text, pb.BatchingParameters(), allow_unknown_field=True)
    except text_format.ParseError as error:
        raise ConfigurationError(f"not BatchingParameters: {error}") from error
    return Batching(found.max_batch_size.value or _BATCH, found.batch_timeout_micros.value / 1e6)


_BATCH = 1000
