"""Logging of the platform's processes: one line an event, fields after the message (`extra={…}`), to standard error."""

import logging
import sys
from datetime import UTC, datetime

# What every LogRecord has; anything else came with `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LineFormatter(logging.Formatter):
    """`2026-11-23T14:02:11.042Z INFO gateway route programmed route=default/iris seconds=0.004`"""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        fields = "".join(f" {name}={_value(value)}" for name, value in vars(record).items() if name not in _STANDARD)
        name = record.name.removeprefix("inferplane.")
        line = f"{moment}Z {record.levelname} {name} {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _value(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text or not text else text


def set_up(level: int = logging.INFO) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("inferplane").setLevel(level)
