"""In a process of their own: how Python lays out memory depends on all that happened before."""

import subprocess
import sys

import pytest

SCATTERED = """
import sys
from inferplane.assembly import holes
before = [bytes(100) for _ in range(100_000)]
del before[::28]
fillers = holes.filled() if sys.argv[1] == "filled" else []
after = [bytes(100) for _ in range(100)]
print(len({id(made) // 4096 for made in after}))
"""


def pages(how: str) -> int:
    """On how many pages 100 objects lie that are made after others have gone."""
    return int(
        subprocess.run([sys.executable, "-c", SCATTERED, how], capture_output=True, text=True, check=True).stdout
    )


@pytest.mark.skipif(
    sys.implementation.name != "cpython" or sys.version_info >= (3, 14), reason="of CPython's allocator"
)
def test_what_is_made_after_the_holes_are_filled_lies_side_by_side() -> None:
    assert pages("not filled") >= 50
    assert pages("filled") <= 10
