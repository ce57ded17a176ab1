"""The payload log of one server: its writer, forked while this process has neither threads nor clients."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from inferplane.dataplane.agent.settings import LoggerSettings
from inferplane.dataplane.agent.writer import LogWriter

log = logging.getLogger("inferplane.agent")


@contextmanager
def payload_logging(settings: LoggerSettings, port: int) -> Iterator[LogWriter]:
    """The writer while the block runs; it has sent all that there was time for when the block is over.

    `port` is where requests come in, which names the source of the events when nothing else does. Raises WrongSink,
    NoParquet, StorageError.
    """
    source = settings.labels.source or f"http://localhost:{port}/"
    writer = LogWriter.start(replace(settings, labels=replace(settings.labels, source=source)), os.environ)
    log.info("logging payloads to=%s mode=%s", ",".join(writer.sinks), settings.mode)
    try:
        yield writer
    finally:
        writer.finish()
