"""`kserve.logging`. The loggers' names are `inferplane` and `inferplane.trace`."""

from inferplane.assembly.serving_logging import (
    DATE_FORMAT,
    FORMAT,
    configure_logging,
    default_config,
    logger,
    trace_logger,
)

KSERVE_LOGGER_NAME = logger.name
KSERVE_TRACE_LOGGER_NAME = trace_logger.name
KSERVE_LOG_CONFIG = default_config()
KSERVE_LOGGER_FORMAT = KSERVE_TRACE_LOGGER_FORMAT = FORMAT
KSERVE_LOGGER_DATE_FORMAT = DATE_FORMAT

__all__ = [
    "KSERVE_LOGGER_DATE_FORMAT",
    "KSERVE_LOGGER_FORMAT",
    "KSERVE_LOGGER_NAME",
    "KSERVE_LOG_CONFIG",
    "KSERVE_TRACE_LOGGER_FORMAT",
    "KSERVE_TRACE_LOGGER_NAME",
    "configure_logging",
    "logger",
    "trace_logger",
]
