from pathlib import Path

import pytest
from tests.contract.grpc.certificates import Pair, signed_by_itself


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A certificate for localhost that signs itself."""
    return signed_by_itself(tmp_path)
