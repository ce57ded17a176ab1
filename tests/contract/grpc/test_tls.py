"""TLS on both ports, with the files that the server's flags name."""

import ssl

import aiohttp
import grpc
import numpy as np
import pytest
from tests.contract.grpc.certificates import Pair, secure
from tests.contract.grpc.serving import Echo, infer, message, serving

from inferplane import InferInput
from inferplane.assembly.model_server_grpc import TlsFiles
from inferplane.dataplane.server.grpc.port import PortOptions, Tls

FOUR = InferInput.decoded("x", "FP32", np.arange(4, dtype=np.float32))


async def test_the_grpc_port_speaks_tls(pair: Pair) -> None:
    options = PortOptions(tls=Tls(pair.certificate, pair.key))
    root = pair.certificate.read_bytes()
    async with serving(Echo(), options=options) as server, secure(server.grpc, root) as client:
        assert (await infer(client, message("echo", [FOUR], "a"))).id == "a"


async def test_with_an_authority_named_only_clients_that_it_signed_are_let_in(pair: Pair) -> None:
    options = PortOptions(tls=Tls(pair.certificate, pair.key, pair.certificate))
    root, own = pair.certificate.read_bytes(), (pair.key.read_bytes(), pair.certificate.read_bytes())
    async with serving(Echo(), options=options) as server:
        async with secure(server.grpc, root, own) as client:
            assert (await infer(client, message("echo", [FOUR], "a"))).id == "a"
        async with secure(server.grpc, root) as stranger:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await infer(stranger, message("echo", [FOUR]))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_rest_port_speaks_tls(pair: Pair) -> None:
    trusted = ssl.create_default_context(cafile=str(pair.certificate))
    async with (
        serving(Echo(), tls=TlsFiles(pair.certificate, pair.key).context()) as server,
        aiohttp.ClientSession() as client,
        client.get(f"https://localhost:{server.http}/v2/health/live", ssl=trusted) as answer,
    ):
        assert await answer.json() == {"live": True}
