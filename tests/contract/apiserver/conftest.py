import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.apiserver.replaying import Target

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One real server for all scenarios; each has a namespace of its own."""
    home = tmp_path_factory.mktemp("apiserver")
    command = [sys.executable, "-m", "tests.contract.apiserver.serving", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        token = (home / "pki" / "token").read_text().strip()
        tls = ssl.create_default_context(cafile=str(home / "pki" / "ca.crt"))
        yield Target(url, tls, token, home / "kubeconfig")
        process.terminate()
