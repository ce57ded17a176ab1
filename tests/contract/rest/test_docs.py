"""docs/rest.md says what the server does, all of it and nothing else."""

import re
from pathlib import Path

from inferplane.dataplane.server.http.access_log import fields
from inferplane.dataplane.server.http.endpoints import ENDPOINTS
from inferplane.dataplane.server.http.wire import Incoming

PAGE = (Path(__file__).parents[3] / "docs" / "rest.md").read_text()


def test_the_page_has_every_endpoint_and_no_other() -> None:
    told = re.findall(r"^\| (GET|POST) \| `([^`]+)`", PAGE, re.MULTILINE)
    assert told == [(endpoint.method, endpoint.path) for endpoint in ENDPOINTS]


def test_the_page_has_every_field_of_the_access_log() -> None:
    section = PAGE.partition("## Access log")[2]
    told = re.findall(r"`([a-z_]+)`", section)
    assert told == list(fields(Incoming(), 0.0))
