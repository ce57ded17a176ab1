from pathlib import Path

import pytest
from tests.unit.cli.desk import Desk

from inferplane.assembly.home import Home


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(Home(tmp_path / "home"))
