"""What `inferplane up --listen` demands before it lets others in."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from inferplane.assembly.outside import DEFAULT_PORT, NOBODY, Asked, listener, url
from inferplane.controlplane.gateway.access import ApiKeys, Certificate, Tokens
from inferplane.kernel.errors import InferplaneError

KEY = "0123456789abcdef"

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, text: str | bytes, mode: int = 0o600) -> str:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return str(path)

    return written


@pytest.fixture
def tls(write: Write) -> dict[str, Any]:
    made = trustme.CA().issue_cert("models.example.com")
    return {
        "tls_cert": write("cert.pem", made.cert_chain_pems[0].bytes()),
        "tls_key": write("key.pem", made.private_key_pem.bytes()),
    }


def test_without_listen_there_is_no_such_listener() -> None:
    assert listener(NOBODY, 8080) is None


def test_others_get_tls_and_keys_and_what_loopback_is_served(write: Write, tls: dict[str, Any]) -> None:
    keys = write("keys", f"# clients\n\nme {KEY}\nyou  {KEY[::-1]}\n")
    found = listener(Asked(listen="0.0.0.0:9443", api_keys=keys, **tls), 8081)
    assert found is not None
    assert (found.name, found.port, found.addresses, found.routes) == ("http-9443", 9443, ("0.0.0.0",), "http-8081")
    assert found.access.certificate == Certificate(tls["tls_cert"], tls["tls_key"])
    assert found.access.who == ApiKeys((("me", KEY), ("you", KEY[::-1])))
    assert url(found) == "https://0.0.0.0:9443"


def test_tokens_are_an_issuers_for_an_audience(write: Write, tls: dict[str, Any]) -> None:
    jwks = write("jwks.json", json.dumps({"keys": [{"kty": "RSA"}]}), 0o644)
    asked = Asked(listen="[::]", jwt_issuer="https://i", jwt_jwks=jwks, jwt_audiences=("models",), **tls)
    found = listener(asked, 8080)
    assert found is not None
    assert found.access.who == Tokens("https://i", jwks, ("models",))
    assert url(found) == f"https://[::]:{DEFAULT_PORT}"


def test_on_loopback_nothing_is_demanded() -> None:
    found = listener(Asked(listen="127.0.0.2:9000"), 8080)
    assert found is not None
    assert url(found) == "http://127.0.0.2:9000"


def test_a_process_reads_the_options_it_is_started_with() -> None:
    asked = Asked(listen="::1", tls_cert="c", jwt_audiences=("a", "b"))
    assert asked.arguments == ["--listen", "::1", "--tls-cert", "c", "--jwt-audience", "a", "--jwt-audience", "b"]


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ({"api_keys", "tls_cert", "tls_key"}, "without TLS and API keys or JWTs anybody could"),
        ({"tls_cert", "tls_key"}, "without TLS anybody could"),
        ({"api_keys"}, "without API keys or JWTs anybody could"),
        ({"tls_cert"}, "--tls-cert and --tls-key belong together: give both"),
    ],
)
def test_others_need_tls_and_a_key_and_are_told_how(
    lacking: set[str], said: str, write: Write, tls: dict[str, Any]
) -> None:
    given: dict[str, Any] = {"api_keys": write("keys", f"me {KEY}"), **tls}
    asked = Asked(listen="0.0.0.0", **{name: value for name, value in given.items() if name not in lacking})
    with pytest.raises(InferplaneError, match=re.escape(said)) as raised:
        listener(asked, 8080)
    assert "belong together" in said or "openssl" in raised.value.fix


@pytest.mark.parametrize("place", ["localhost", "0.0.0.0:", "0.0.0.0:0", "0.0.0.0:65536", "1.2.3", ":8443"])
def test_a_place_is_an_address_and_a_port(place: str) -> None:
    with pytest.raises(InferplaneError, match="expected ADDRESS or ADDRESS:PORT"):
        listener(Asked(listen=place), 8080)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no key in it"),
        ("me", "line 1: expected  CLIENT KEY, got 1 words"),
        ("me short", "line 1: the key is shorter than 16 characters"),
        (f"me {KEY}\nyou {KEY}", "line 2: this client, or its key, is there already"),
        (f"me {KEY}\nme {KEY[::-1]}", "line 2: this client, or its key, is there already"),
    ],
)
def test_a_mistake_among_the_keys_is_named_by_its_line_and_tells_no_key(text: str, said: str, write: Write) -> None:
    with pytest.raises(InferplaneError, match=re.escape(said)) as raised:
        listener(Asked(listen="127.0.0.1", api_keys=write("keys", text)), 8080)
    assert KEY not in str(raised.value)


def test_secrets_that_others_can_read_are_refused(write: Write, tls: dict[str, Any]) -> None:
    with pytest.raises(InferplaneError, match="others than its owner may read it"):
        listener(Asked(listen="127.0.0.1", api_keys=write("keys", f"me {KEY}", 0o640)), 8080)
    Path(tls["tls_key"]).chmod(0o644)
    with pytest.raises(InferplaneError, match="others than its owner may read it"):
        listener(Asked(listen="127.0.0.1", **tls), 8080)


def test_a_certificate_and_a_key_that_do_not_belong_together_are_refused(write: Write, tls: dict[str, Any]) -> None:
    other = write("other.pem", trustme.CA().issue_cert("b").private_key_pem.bytes())
    with pytest.raises(InferplaneError, match="not a PEM certificate and its key"):
        listener(Asked(listen="127.0.0.1", tls_cert=tls["tls_cert"], tls_key=other), 8080)


def test_files_that_are_not_there_and_options_that_do_not_go_together_are_told(write: Write) -> None:
    keys, jwks = write("keys", f"me {KEY}"), write("jwks", '{"keys": []}')
    for asked, said in (
        (Asked(api_keys=keys), "--api-keys says who may come in from outside; nobody can without --listen"),
        (Asked(listen="127.0.0.1", api_keys="/nowhere"), "--api-keys /nowhere: No such file"),
        (Asked(listen="127.0.0.1", api_keys=keys, jwt_issuer="i"), "two ways in: give one of them"),
        (Asked(listen="127.0.0.1", jwt_issuer="i"), "--jwt-issuer and --jwt-jwks belong together"),
        (Asked(listen="127.0.0.1", jwt_issuer="i", jwt_jwks=jwks), "there are no keys in it"),
        (Asked(listen="127.0.0.1", jwt_issuer="i", jwt_jwks=keys), "expected a JSON Web Key Set"),
    ):
        with pytest.raises(InferplaneError, match=re.escape(said)):
            listener(asked, 8080)
