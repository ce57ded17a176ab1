import logging
import re

from inferplane.assembly.logs import LineFormatter


def line(**extra: object) -> str:
    record = logging.makeLogRecord({"name": "inferplane.gateway", "levelname": "INFO", "msg": "programmed", **extra})
    return LineFormatter().format(record)


def test_an_event_is_one_line_with_its_fields() -> None:
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT[\d:.]{12}Z INFO gateway programmed route=default/iris", line(route="default/iris")
    )


def test_a_value_with_spaces_is_quoted() -> None:
    assert line(why="no ready endpoint").endswith('why="no ready endpoint"')
