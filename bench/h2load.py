"""One round of unary gRPC calls by h2load, a process of its own.

h2load sees HTTP statuses, which are 200 for failed calls too, and no trailers. An error has no message, though: so each
answer must have brought the data of a right one, whose length is known from a call whose `grpc-status` was looked at.
"""

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.cases import Load, Request
from bench.figures import Round, percentile
from bench.servers import Ports
from bench.wrk import Failed, ToolMissing, printed

_HEADERS = ("-H", "content-type: application/grpc", "-H", "te: trailers")


def available() -> str:
    path = shutil.which("h2load")
    if path is None:
        raise ToolMissing("the load generator h2load is not installed: apt-get install nghttp2-client (brew: nghttp2)")
    return path


def load(ports: Ports, request: Request, shape: Load, seconds: int, answer: int) -> Round:
    """`answer` is the length of a right answer in its frame."""
    url = f"http://127.0.0.1:{ports.grpc}{request.path}"
    with tempfile.TemporaryDirectory() as directory:
        body, log = Path(directory, "body"), Path(directory, "log")
        body.write_bytes(request.body)
        command = [
            available(), "-t1", f"-c{shape.connections}", f"-m{shape.streams}", f"-D{seconds}", *_HEADERS,
            *(("-H", f":authority: {ports.host}") if ports.host else ()), "-d", str(body), f"--log-file={log}", url,
        ]  # fmt: skip
        return read(printed(command), log.read_text().splitlines(), answer, url)


def read(output: str, log: Sequence[str], answer: int, url: str) -> Round:
    """What h2load printed, and its log of (start, status, microseconds), as numbers; Failed when it saw errors."""
    rate = re.search(r"finished in [^,]+, ([\d.]+) req/s", output)
    counts = re.search(r"requests: \d+ total, (\d+) started, (\d+) done, (\d+) succeeded", output)
    data = re.search(r"\((\d+)\) data", output)
    if rate is None or counts is None or data is None or not log:
        raise Failed(f"{url}: h2load said nothing that can be read: {output!r}")
    begun, done, succeeded = (int(count) for count in counts.groups())
    if succeeded < done or succeeded == 0:
        raise Failed(f"{url}: {done - succeeded} of {done} calls failed")
    if not answer * succeeded <= int(data[1]) <= answer * begun:
        raise Failed(f"{url}: {succeeded} answers of {answer} bytes are not {data[1]} bytes: some calls had an error")
    times = sorted(int(line.split("\t")[2]) / 1000 for line in log)
    return Round(float(rate[1]), percentile(times, 50), percentile(times, 99), succeeded)
