"""TLS on both ports, with the files that the server's flags name."""

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.contract.grpc.serving import Echo, infer, message, serving

from inferplane import InferInput
from inferplane.assembly.model_server_grpc import TlsFiles
from inferplane.dataplane.server.grpc.port import PortOptions, Tls

FOUR = InferInput.decoded("x", "FP32", np.arange(4, dtype=np.float32))


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A certificate for localhost that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = Pair(tmp_path / "tls.crt", tmp_path / "tls.key")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def secure(port: int, root: bytes, own: tuple[bytes, bytes] | None = None) -> grpc.aio.Channel:
    key, chain = own or (None, None)
    credentials = grpc.ssl_channel_credentials(root, key, chain)
    options = [("grpc.ssl_target_name_override", "localhost")]
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options)


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
