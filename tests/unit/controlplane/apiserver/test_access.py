from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock

from inferplane.controlplane.apiserver.access import Gate
from inferplane.controlplane.apiserver.app import App, create_app
from inferplane.controlplane.apiserver.store.store import Store


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    clock = FakeClock()
    found = await create_app(await Store.open(tmp_path / "state.db", clock), token="secret", clock=clock)
    yield found
    await found.close()


@pytest.mark.parametrize(
    ("path", "header", "may"),
    [
        ("/api/v1/pods", "Bearer secret", True),
        ("/api/v1/pods", "bearer  secret", True),
        ("/api/v1/pods", "Bearer other", False),
        ("/api/v1/pods", "Bearer a.b.c", False),
        ("/api/v1/pods", "Basic secret", False),
        ("/api/v1/pods", "", False),
        ("/healthz", "", True),
        ("/readyz/ping", "", True),
        ("/version", "", True),
        ("/healthzz", "", False),
        ("/versions/secret", "", False),
    ],
)
async def test_the_holder_of_the_token_may_everything_and_strangers_ask_for_health_only(
    app: App, path: str, header: str, may: bool
) -> None:
    assert (Gate("secret").user(app.core, path, header) is not None) is may
