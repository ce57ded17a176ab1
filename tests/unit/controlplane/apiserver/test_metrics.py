"""What `/metrics` answers, to whom."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.clock import FakeClock

from inferplane.controlplane.apiserver.app import create_app
from inferplane.controlplane.apiserver.store.store import Store


@pytest.mark.parametrize(
    ("metrics", "token", "status", "body"),
    [(b"up 1\n", "secret", 200, b"up 1\n"), (b"up 1\n", "", 401, b""), (None, "secret", 404, b"")],
)
async def test_metrics_are_for_those_with_the_token_where_there_are_any(
    tmp_path: Path, metrics: bytes | None, token: str, status: int, body: bytes
) -> None:
    clock, sent = FakeClock(), list[MutableMapping[str, Any]]()
    store = await Store.open(tmp_path / "state.db", clock)
    exposition = None if metrics is None else lambda: metrics
    app = await create_app(store, token="secret", clock=clock, metrics=exposition)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/metrics", "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    await app.close()
    assert sent[0]["status"] == status
    assert not body or sent[1]["body"] == body
