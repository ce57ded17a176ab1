"""docs/rest.md, grpc.md and clients.md: their tables and the numbers in them are the code's."""

import inspect
import re
from pathlib import Path

import pytest

import inferplane
from inferplane import ModelRepository
from inferplane.assembly import model_server_options
from inferplane.assembly.model_server_grpc import STREAMS_OF_A_WORKER
from inferplane.client.inference import aio, errors, grpc_client, sync
from inferplane.dataplane.server.answers import HTTP_STATUS
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc.http2.streams import Limits as Http2Limits
from inferplane.dataplane.server.grpc.service import Service
from inferplane.dataplane.server.grpc.status import _OF_HTTP, CODES
from inferplane.dataplane.server.http import lane
from inferplane.dataplane.server.http.endpoints import ENDPOINTS
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.metrics import Metrics

DOCS = Path(__file__).parents[2] / "docs"
HTTP = Path(lane.__file__).parent


def rows(page: str, heading: str, table: int = 0) -> list[list[str]]:
    """The cells of a table under a heading, without its head and without back-ticks."""
    text = (DOCS / page).read_text()
    section = (text.split(f"\n## {heading}\n", 1)[1] if heading else text).split("\n## ", 1)[0]
    found = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[table]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in found.splitlines()[2:]]


# REST.


def test_the_statuses_of_rest_are_those_that_the_server_has() -> None:
    text = "".join(file.read_text() for file in HTTP.glob("*.py"))
    refusals = {int(status) for status in re.findall(r"\((4\d\d|5\d\d),", text)}
    described = {code for endpoint in ENDPOINTS for code in endpoint.failures}
    told = {int(row[0]) for row in rows("rest.md", "Errors")}
    assert told == {*HTTP_STATUS.values(), *refusals, *described, 405}


def test_the_bounds_of_rest_are_the_servers() -> None:
    told = {int(row[0]): row[1] for row in rows("rest.md", "Errors")}
    limits = Limits()
    assert f"{limits.head_timeout:g} s for a head, {limits.body_timeout:g} s between" in told[408]
    assert f"{limits.target // 1024} KiB" in told[414]
    assert f"{limits.head // 1024} KiB" in told[431]


# gRPC.


def test_the_calls_of_grpc_are_those_that_are_served() -> None:
    told = {
        name for row in rows("grpc.md", "Calls") for name in re.findall(r"\b(?:Server|Model|Repository)\w+", row[0])
    } - {"ModelService"}  # TensorFlow Serving's
    dispatch = Dispatch(ModelRepository(), Metrics())
    assert told == {*Service(dispatch, Probes(dispatch)).methods, "ModelStreamInfer"}


def test_the_codes_of_grpc_are_those_that_the_server_has() -> None:
    told = {row[0] for row in rows("grpc.md", "Status codes")}
    assert {code.name for code in CODES.values()} <= told
    assert told <= {code.name for code in {*CODES.values(), *_OF_HTTP.values()}}


def test_the_flags_of_grpc_have_their_defaults() -> None:
    given = vars(model_server_options._parser().parse_args(["--model_dir=."]))
    for names, default, _ in rows("grpc.md", "Flags"):
        for name in re.findall(r"--\w+", names):
            value = given[name[2:]]
            # The default port is one that the server may do without, so the parser has none.
            assert default == ("8081" if name == "--grpc_port" else "" if value is None else str(value).lower())


def test_the_bounds_of_http2_are_the_servers() -> None:
    told = {row[0]: row[1] for row in rows("grpc.md", "HTTP/2")}
    limits = Http2Limits()
    assert told["calls at once"].startswith(f"{limits.streams:,}; {STREAMS_OF_A_WORKER} ")
    assert told["a call's headers"] == f"{limits.head // 1024} KiB"
    assert told["data that nobody has looked at yet"].startswith(f"{limits.window // 1024**2} MiB a call")
    assert told["pings, settings and other frames that carry nothing"].startswith(f"{limits.idle_frames:,} in half a s")
    assert told["calls taken back"].startswith(f"{limits.resets} in half a second")
    assert told["a request that stops in the middle"].startswith(f"{limits.body_timeout:g} s without a byte")
    assert told["an answer that nobody reads"] == f"{limits.write_timeout:g} s"
    assert limits.keep_alive == 2 * 3600


# Clients.


def test_the_clients_of_the_page_are_there() -> None:
    names = {
        name for row in rows("clients.md", "") for name in re.findall(r"[A-Z]\w+(?:Client|Config)|\bClient", row[0])
    }
    assert len(names) == 7
    for name in names:
        assert inspect.isclass(getattr(inferplane, name)), name


@pytest.mark.parametrize("client", [sync.Client, aio.AsyncClient])
def test_the_arguments_of_the_clients_are_those_of_the_page(client: type) -> None:
    told = {name for row in rows("clients.md", "Everyday use") for name in row[0].split(", ")}
    assert set(inspect.signature(client).parameters) == told


def test_sync_and_async_clients_have_the_same_methods_with_the_same_arguments() -> None:
    pairs = ((sync.Client, aio.AsyncClient), (grpc_client.GrpcClient, grpc_client.AsyncGrpcClient))
    for first, second in pairs:
        calls = [
            {
                name: list(inspect.signature(one).parameters)
                for name, one in inspect.getmembers(client, inspect.isfunction)
            }
            for client in (first, second)
        ]
        public = [{name: call for name, call in one.items() if not name.startswith("_")} for one in calls]
        assert public[0] == public[1]


def test_the_errors_of_the_clients_are_those_of_the_page() -> None:
    raised = {
        name
        for name, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, errors.ClientError) and not one.__subclasses__()
    }
    assert {row[0] for row in rows("clients.md", "Errors")} == raised
