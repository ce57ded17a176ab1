"""`inferplane up --listen`: the gateway for others than this machine.

A second listener beside the one on loopback. Others get in only over TLS and with an API key or a token; what that
takes is checked before anything starts.
"""

import ipaddress
import json
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path

from inferplane.controlplane.gateway.access import Access, ApiKeys, Certificate, Tokens
from inferplane.controlplane.gateway.attachment import listener_name
from inferplane.controlplane.gateway.values import Listener
from inferplane.kernel.errors import InferplaneError

DEFAULT_PORT = 8443
SHORTEST_KEY = 16

HOW = """give
  a certificate  --tls-cert FILE --tls-key FILE; one of your own for a try:
                 openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN=$(hostname) -keyout key.pem -out cert.pem
  and API keys   --api-keys FILE, with lines  CLIENT KEY:
                 (umask 077; echo "me $(openssl rand -hex 32)" > keys.txt)
  or JWTs        --jwt-issuer ISSUER --jwt-jwks FILE [--jwt-audience NAME]"""


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of `up`, as given. `listen` is ADDRESS or ADDRESS:PORT, empty for no such listener."""

    listen: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    api_keys: str = ""
    jwt_issuer: str = ""
    jwt_jwks: str = ""
    jwt_audiences: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """For a process that reads the same options."""
        named = (
            ("--listen", self.listen),
            ("--tls-cert", self.tls_cert),
            ("--tls-key", self.tls_key),
            ("--api-keys", self.api_keys),
            ("--jwt-issuer", self.jwt_issuer),
            ("--jwt-jwks", self.jwt_jwks),
            *(("--jwt-audience", audience) for audience in self.jwt_audiences),
        )
        return [word for name, value in named if value for word in (name, value)]


NOBODY = Asked()


def listener(asked: Asked, gateway_port: int) -> Listener | None:
    """The listener asked for, which serves what the one on `gateway_port` serves. InferplaneError for what can't be."""
    if not asked.listen:
        if asked.arguments:
            raise InferplaneError(
                f"{asked.arguments[0]} says who may come in from outside; nobody can without --listen"
            )
        return None
    address, port = _place(asked.listen)
    access = Access(_certificate(asked), _who(asked))
    if not address.is_loopback and (access.certificate is None or access.who is None):
        missing = [
            what for what, there in (("TLS", access.certificate), ("API keys or JWTs", access.who)) if there is None
        ]
        raise InferplaneError(
            f"--listen {asked.listen} lets others reach the models; without {' and '.join(missing)} anybody could",
            fix=HOW,
        )
    return Listener(listener_name(port), port, (str(address),), routes=listener_name(gateway_port), access=access)


def _place(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    host, colon, number = text.rpartition(":")
    if not colon or (host.count(":") and not host.endswith("]")):
        host, number = text, str(DEFAULT_PORT)
    try:
        address, port = ipaddress.ip_address(host.strip("[]")), int(number)
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        raise InferplaneError(f"--listen: expected ADDRESS or ADDRESS:PORT, such as 0.0.0.0:{DEFAULT_PORT}, got {text}")
    return address, port


def _certificate(asked: Asked) -> Certificate | None:
    if not asked.tls_cert and not asked.tls_key:
        return None
    if not asked.tls_cert or not asked.tls_key:
        raise InferplaneError("--tls-cert and --tls-key belong together: give both")
    chain, key = _file("--tls-cert", asked.tls_cert), _file("--tls-key", asked.tls_key)
    _check_secret("--tls-key", key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise InferplaneError(
            f"--tls-cert {chain} and --tls-key {key}: not a PEM certificate and its key: {error}"
        ) from error
    return Certificate(str(chain), str(key))


def _no_password() -> str:
    raise ValueError("the key is encrypted, and nobody is here to say its password")


def _who(asked: Asked) -> ApiKeys | Tokens | None:
    jwt = asked.jwt_issuer or asked.jwt_jwks or asked.jwt_audiences
    if jwt and asked.api_keys:
        raise InferplaneError("--api-keys and --jwt-… are two ways in: give one of them")
    if jwt:
        return _tokens(asked)
    return _keys(_file("--api-keys", asked.api_keys)) if asked.api_keys else None


def _tokens(asked: Asked) -> Tokens:
    if not asked.jwt_issuer or not asked.jwt_jwks:
        raise InferplaneError("--jwt-issuer and --jwt-jwks belong together: give both")
    path = _file("--jwt-jwks", asked.jwt_jwks)
    try:
        keys = json.loads(path.read_bytes())["keys"]
    except (ValueError, KeyError, TypeError) as error:
        raise InferplaneError(f'--jwt-jwks {path}: expected a JSON Web Key Set, {{"keys": [...]}}') from error
    if not isinstance(keys, list) or not keys:
        raise InferplaneError(f"--jwt-jwks {path}: there are no keys in it")
    return Tokens(asked.jwt_issuer, str(path), asked.jwt_audiences)


def _keys(path: Path) -> ApiKeys:
    """Lines `CLIENT KEY`; empty ones and those that begin with # are left out. Keys are never part of a message."""
    _check_secret("--api-keys", path)
    clients: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"--api-keys {path}, line {number}"
        if len(words) != 2:
            raise InferplaneError(f"{where}: expected  CLIENT KEY, got {len(words)} words")
        if len(words[1]) < SHORTEST_KEY:
            raise InferplaneError(
                f"{where}: the key is shorter than {SHORTEST_KEY} characters", fix="openssl rand -hex 32"
            )
        if words[0] in clients or words[1] in clients.values():
            raise InferplaneError(f"{where}: this client, or its key, is there already")
        clients[words[0]] = words[1]
    if not clients:
        raise InferplaneError(f"--api-keys {path}: there is no key in it", fix="add a line  CLIENT KEY")
    return ApiKeys(tuple(clients.items()))


def _file(option: str, path: str) -> Path:
    found = Path(path).absolute()
    try:
        with found.open("rb"):
            return found
    except OSError as error:
        raise InferplaneError(f"{option} {path}: {error.strerror}") from error


def _check_secret(option: str, path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise InferplaneError(
            f"{option} {path}: others than its owner may read it (mode {mode:04o})", fix=f"chmod 600 {path}"
        )


def url(outside: Listener) -> str:
    """As people read it."""
    scheme = "https" if outside.access.certificate else "http"
    host = f"[{outside.addresses[0]}]" if ":" in outside.addresses[0] else outside.addresses[0]
    return f"{scheme}://{host}:{outside.port}"
