"""gcp-storage-emulator on a port of the system's choice: prints its URL, ends when its standard input does."""

import sys

from gcp_storage_emulator.server import create_server

server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="models")
server.start()
print(f"http://127.0.0.1:{server._api._httpd.socket.getsockname()[1]}", flush=True)
sys.stdin.read()
server.stop()
