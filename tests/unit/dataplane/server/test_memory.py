"""In a process of its own: the setting is the process's."""

import subprocess
import sys

SCRIPT = """
import resource
from inferplane.dataplane.server.memory import keep_freed
assert keep_freed()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    data = bytearray(b"x") * 4_000_000
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
first, again = faults(), faults()
assert first > 900, first
assert again < 10, again
"""


def test_memory_that_was_freed_is_not_asked_for_again() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
