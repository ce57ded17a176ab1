"""Certificates, token and kubeconfig of one machine's API server, made on first start.

All of it lies in one directory (`ca.crt`, `ca.key`, `server.crt`, `server.key`, `token`), private to the user.
"""

import base64
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from inferplane.kernel.errors import InferplaneError

YEARS = 10
RENEW_DAYS = 30
HOSTS = (
    "localhost",
    "127.0.0.1",
    "::1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


class PkiError(InferplaneError):
    """The files are there but can't be used."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Where the files are. The token is the secret that clients show."""

    ca: Path
    certificate: Path
    key: Path
    token: str


def ensure(directory: Path, now: datetime, hosts: tuple[str, ...] = ()) -> Identity:
    """Makes what is missing (the server certificate also when it is about to expire or lacks one of `hosts`)."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca, ca_key = directory / "ca.crt", directory / "ca.key"
    certificate, key = directory / "server.crt", directory / "server.key"
    if not ca.exists() or not ca_key.exists():
        _make_ca(ca, ca_key, now)
        certificate.unlink(missing_ok=True)
    wanted = (*HOSTS, *hosts)
    if not key.exists() or not _good(certificate, wanted, now):
        _make_server(certificate, key, ca, ca_key, wanted, now)
    token = directory / "token"
    if not token.exists():
        _write(token, secrets.token_urlsafe(32).encode())
    return Identity(ca, certificate, key, token.read_text().strip())


def write_kubeconfig(path: Path, url: str, identity: Identity) -> None:
    """A kubeconfig of mode 0600 that says all a client needs; replaced in one step."""
    name = "inferplane"
    cluster = {"server": url, "certificate-authority-data": _base64(identity.ca.read_bytes())}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": identity.token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
        "current-context": name,
    }
    _write(path, yaml.safe_dump(config, sort_keys=False).encode())


def _make_ca(certificate: Path, key: Path, now: datetime) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = _name("inferplane-ca")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    built = (
        _builder(name, name, private.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )
    _write(key, _pem(private))
    _write(certificate, built.public_bytes(serialization.Encoding.PEM))


def _make_server(certificate: Path, key: Path, ca: Path, ca_key: Path, hosts: tuple[str, ...], now: datetime) -> None:
    issuer, signer = _load(ca, ca_key)
    private = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    built = (
        _builder(_name("inferplane-apiserver"), issuer.subject, private.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(signer, hashes.SHA256())
    )
    _write(key, _pem(private))
    _write(certificate, built.public_bytes(serialization.Encoding.PEM))


def _load(ca: Path, ca_key: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        signer = serialization.load_pem_private_key(ca_key.read_bytes(), None)
        issuer = x509.load_pem_x509_certificate(ca.read_bytes())
    except ValueError as error:
        raise PkiError(f"{ca}: not a usable certificate: {error}", fix=f"remove {ca.parent} and start again") from error
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise PkiError(f"{ca_key}: not an elliptic-curve key", fix=f"remove {ca.parent} and start again")
    return issuer, signer


def _good(certificate: Path, hosts: tuple[str, ...], now: datetime) -> bool:
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    lasts = loaded.not_valid_after_utc > now + timedelta(days=RENEW_DAYS)
    return lasts and all(_general_name(host) in names for host in hosts)


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - timedelta(hours=1))
        .not_valid_after(now.astimezone(UTC) + timedelta(days=365 * YEARS))
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _write(path: Path, content: bytes) -> None:
    """Mode 0600 from the first moment, and either the old or the new content at any time."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
