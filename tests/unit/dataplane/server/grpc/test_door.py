import json
import subprocess
import sys

SCRIPT = """
import asyncio, json, sys, threading
from inferplane.dataplane.server.grpc.door import Door

async def listened():
    door = Door(None)
    await door.listen("127.0.0.1", 0)
    print(json.dumps([[m for m in sys.modules if m.startswith(("grpc", "google"))], threading.active_count()]))
    await door.drain(0)

asyncio.run(listened())
"""


def test_a_door_that_listens_has_imported_nothing_of_grpc_and_started_no_thread() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], 1]
