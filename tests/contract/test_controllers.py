"""What a real cluster's controllers made of objects, recorded; a whole platform of ours makes the same."""

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.apiserver.replaying import Replay, Target
from tests.contract.apiserver.test_vectors import NEED_CONTROLLERS, scenarios
from tests.e2e.whole import Whole, whole_platform

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.kubectl,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH: install it to run these"),
]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("controllers")) as started:
        yield started


@pytest.mark.parametrize("name", NEED_CONTROLLERS)
async def test_controllers_do_what_a_cluster_s_do(name: str, platform: Whole, tmp_path: Path) -> None:
    tls = ssl.create_default_context(cafile=str(platform.home / "pki" / "ca.crt"))
    token = (platform.home / "pki" / "token").read_text().strip()
    target = Target(platform.status().api, tls, token, platform.home / "kubeconfig")
    async with Replay(target, tmp_path) as replay:
        failures = await replay.run(scenarios()[name])
    assert not failures, "\n".join(f"step {n}: {found[0]}" for n, found in failures.items())
