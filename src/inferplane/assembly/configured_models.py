"""The models of TensorFlow Serving's configuration file, each with its directory and its versions."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.runtimes.options import RuntimeOptions
from inferplane.dataplane.runtimes.registry import models
from inferplane.inference.tensorflow.configuration import ConfigurationError, Configured, read

MODELS = Path("/mnt/models")
"""Where containers have their model; on one machine it is elsewhere, which a flag is told and a file is not."""


def configured(file: Path, directory: Path, options: RuntimeOptions) -> list[Model]:
    """Raises ConfigurationError. `directory` is the server's model directory."""
    try:
        found = read(file.read_text())
    except OSError as error:
        raise ConfigurationError(f"--model_config_file {file}: cannot be read: {error.strerror}") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"--model_config_file {file}: {error}") from error
    return [model for one in found for model in _models(one, file.parent, directory, options)]


def _models(one: Configured, beside: Path, directory: Path, options: RuntimeOptions) -> Sequence[Model]:
    base = based(Path(one.base_path), beside, directory)
    return models("tensorflow", one.name, base, replace(options, versions=one.versions))


def based(path: Path, beside: Path, directory: Path) -> Path:
    """A model's directory: relative ones are beside the file, and what a container has in /mnt/models is in
    `directory`."""
    if not path.is_absolute():
        return beside / path
    if path.is_relative_to(MODELS) and not path.exists():
        return directory / path.relative_to(MODELS)
    return path
