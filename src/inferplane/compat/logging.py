"""`kserve.logging`. The loggers' names are `inferplane` and `inferplane.trace`."""

from inferplane.assembly.serving_logging import configure_logging, default_config, logger, trace_logger

KSERVE_LOGGER_NAME = logger.name
KSERVE_TRACE_LOGGER_NAME = trace_logger.name
KSERVE_LOG_CONFIG = default_config()

__all__ = [
    "KSERVE_LOGGER_NAME",
    "KSERVE_LOG_CONFIG",
    "KSERVE_TRACE_LOGGER_NAME",
    "configure_logging",
    "logger",
    "trace_logger",
]
