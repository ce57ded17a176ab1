import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inferplane.assembly import model_server_grpc
from inferplane.assembly.model_server_grpc import GrpcFlags, TlsFiles, calls, listen
from inferplane.assembly.model_server_options import UsageError, parse
from inferplane.dataplane.model.repository import ModelRepository
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.listener import CannotListen
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.metrics import Metrics


def flags(*arguments: str) -> GrpcFlags:
    return parse(["--model_dir=.", *arguments]).grpc


def test_without_flags_there_is_a_port_with_kserves_limits() -> None:
    assert flags() == GrpcFlags(True, None, 8388608, 8388608, False, None)


def test_flags_say_port_limits_compression_and_files() -> None:
    found = flags(
        "--grpc_port=9000", "--grpc_max_send_message_length=1", "--grpc_max_receive_message_length=-1",
        "--grpc_compression=gzip", "--ssl_certfile=c", "--ssl_keyfile=k", "--ssl_ca_certs=a",
    )  # fmt: skip
    assert found == GrpcFlags(True, 9000, 1, -1, True, TlsFiles(Path("c"), Path("k"), Path("a")))


@pytest.mark.parametrize(("text", "on"), [("true", True), ("YES", True), ("0", False), ("off", False)])
def test_the_port_is_switched_as_kserve_spells_it(text: str, on: bool) -> None:
    assert flags(f"--enable_grpc={text}").enabled is on


@pytest.mark.parametrize(
    "arguments",
    [
        ["--ssl_certfile=c"],
        ["--ssl_keyfile=k"],
        ["--enable_grpc=perhaps"],
    ],
)
def test_what_does_not_fit_together_is_refused(arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        flags(*arguments)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


@asynccontextmanager
async def listening(given: GrpcFlags) -> AsyncIterator[int | None]:
    dispatch = Dispatch(ModelRepository(), Metrics())
    made = calls(given, Limits(), dispatch, Probes(dispatch), None, worker=False)
    try:
        yield await listen(made.port, given, "127.0.0.1")
    finally:
        await made.close()


async def test_a_taken_port_is_an_error_when_it_was_asked_for(taken: int) -> None:
    with pytest.raises(CannotListen, match="--grpc_port"):
        async with listening(GrpcFlags(port=taken)):
            pass


async def test_the_default_port_is_done_without_when_it_is_taken(
    taken: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(model_server_grpc, "PORT", taken)
    with caplog.at_level(logging.WARNING, logger="inferplane.server"):
        async with listening(GrpcFlags()) as port:
            assert port is None
    assert "no gRPC port" in caplog.text


async def test_a_server_told_to_listen_nowhere_listens_nowhere() -> None:
    async with listening(GrpcFlags(enabled=False)) as port:
        assert port is None


async def test_an_open_port_closes_again() -> None:
    async with listening(GrpcFlags(port=0)) as port:
        assert port is not None
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
