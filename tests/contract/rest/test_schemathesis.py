"""Schemathesis drives every endpoint that the server describes, and holds the answers against the description."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from tests.contract.rest.running import Running, running

from inferplane.dataplane.server.http import openapi

NAMES = ["m", "shaped", "talking", "unready", "nobody"]


def described() -> dict[str, Any]:
    """The description, with names that are there: made-up ones would only ever find 404."""
    document: dict[str, Any] = openapi.document("1")
    # No model here has versions: one path of that kind tells what all of them do.
    document["paths"] = {path: told for path, told in document["paths"].items() if "/labels/" not in path}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                served = NAMES if not path.endswith("/unload") else ["nobody"]
                parameter["schema"] = {"enum": served if parameter["name"] == "model" else ["1", "2"]}
    return document


schema = schemathesis.openapi.from_dict(described())


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_endpoint_fails_or_answers_otherwise_than_described(case: "schemathesis.Case[Any]", server: Running) -> None:
    response = case.call(base_url=server.url, timeout=10)
    # What the server does not do, and a model that is not ready, are told by codes above 500.
    assert response.status_code < 500 or response.status_code in (501, 503), response.text
    case.validate_response(
        response,
        checks=[
            schemathesis.checks.status_code_conformance,
            schemathesis.checks.content_type_conformance,
            schemathesis.checks.response_schema_conformance,
        ],
    )
