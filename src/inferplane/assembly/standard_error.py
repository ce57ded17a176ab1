"""The log of a process of ours that nobody configured: lines on standard error."""

import logging
from collections.abc import Mapping

LEVEL = "KSERVE_LOGLEVEL"


def log_to_stderr(environ: Mapping[str, str]) -> None:
    """Done again in a fork it changes the level alone: a fork's environment is its own."""
    logger = logging.getLogger("inferplane")
    logger.setLevel(environ.get(LEVEL, "INFO").upper())
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        logger.addHandler(handler)
