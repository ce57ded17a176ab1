import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509

from inferplane.controlplane.apiserver import pki

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def serial(identity: pki.Identity) -> int:
    return x509.load_pem_x509_certificate(identity.certificate.read_bytes()).serial_number


def test_a_second_start_finds_what_the_first_one_made(tmp_path: Path) -> None:
    first, second = pki.ensure(tmp_path / "pki", NOW), pki.ensure(tmp_path / "pki", NOW)
    assert first == second
    assert len(first.token) >= 32
    assert serial(first) == serial(second)


def test_everything_is_private(tmp_path: Path) -> None:
    pki.ensure(tmp_path / "pki", NOW)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "pki").iterdir()}
    assert modes == dict.fromkeys(["ca.crt", "ca.key", "server.crt", "server.key", "token"], 0o600)
    assert stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700


def test_the_server_certificate_is_for_this_machine_and_signed_by_the_authority(tmp_path: Path) -> None:
    identity = pki.ensure(tmp_path, NOW, hosts=("10.0.0.7", "api.example.com"))
    certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(identity.ca.read_bytes()))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = names.get_values_for_type(x509.DNSName)
    assert {"localhost", "kubernetes.default.svc", "api.example.com"} <= set(dns)
    assert {str(one) for one in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1", "10.0.0.7"}
    ssl.create_default_context().load_verify_locations(identity.ca)


def test_a_certificate_that_is_about_to_expire_or_lacks_a_host_is_made_again(tmp_path: Path) -> None:
    first = serial(pki.ensure(tmp_path, NOW))
    later = serial(pki.ensure(tmp_path, NOW + timedelta(days=365 * 10 - 20)))
    more = serial(pki.ensure(tmp_path, NOW + timedelta(days=365 * 10 - 20), hosts=("other",)))
    assert len({first, later, more}) == 3


def test_the_kubeconfig_says_all_that_a_client_needs_and_is_private(tmp_path: Path) -> None:
    identity = pki.ensure(tmp_path / "pki", NOW)
    path = tmp_path / "kubeconfig"
    pki.write_kubeconfig(path, "https://127.0.0.1:1", identity)
    pki.write_kubeconfig(path, "https://127.0.0.1:2", identity)
    config = yaml.safe_load(path.read_text())
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:2"
    assert config["users"][0]["user"] == {"token": identity.token}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
