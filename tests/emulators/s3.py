"""moto's S3 on a port of the system's choice: prints its URL, ends when its standard input does.

With the argument `strict` it checks signatures and permissions once `POST /moto-api/reset-auth` was sent.
"""

import os
import sys

if "strict" in sys.argv:
    os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "1000000"

from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
print(f"http://{host}:{port}", flush=True)
sys.stdin.read()
server.stop()
