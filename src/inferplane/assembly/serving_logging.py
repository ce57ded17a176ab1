"""Logging of a model server: to standard error unless its author has set up something else."""

import json
import logging
import logging.config
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FORMAT = (
    "%(asctime)s.%(msecs)03d %(process)s %(name)s %(levelname)s [%(filename)s:%(funcName)s():%(lineno)s] %(message)s"
)
DATE_FORMAT = "%Y-%m-%d %H:%M:%S"

logger = logging.getLogger("inferplane")
trace_logger = logging.getLogger("inferplane.trace")


def default_config() -> dict[str, Any]:
    """As `logging.config.dictConfig` takes it; $KSERVE_LOGLEVEL is the level."""
    level = os.environ.get("KSERVE_LOGLEVEL", "INFO").upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"inferplane": {"format": FORMAT, "datefmt": DATE_FORMAT}},
        "handlers": {
            "inferplane": {"class": "logging.StreamHandler", "formatter": "inferplane", "stream": "ext://sys.stderr"}
        },
        "loggers": {"inferplane": {"handlers": ["inferplane"], "level": level, "propagate": False}},
    }


def configure_logging(log_config: Mapping[str, Any] | str | None = None) -> None:
    """Takes a configuration, or the file of one. Without any, the default is set where no handler is there yet."""
    if isinstance(log_config, str):
        _configure_from(Path(log_config))
    elif log_config is not None:
        logging.config.dictConfig(dict(log_config))
    elif not logger.handlers:
        logging.config.dictConfig(default_config())


def _configure_from(file: Path) -> None:
    if file.suffix == ".json":
        logging.config.dictConfig(json.loads(file.read_text()))
    elif file.suffix in (".yaml", ".yml"):
        import yaml

        logging.config.dictConfig(yaml.safe_load(file.read_text()))
    else:
        logging.config.fileConfig(file, disable_existing_loggers=False)
