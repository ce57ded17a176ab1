"""Where the API server is and who we are to it: a kubeconfig, or what a pod on a cluster is given.

A path goes in, a `Connection` comes out; `http.HttpApi` is made from it. Nothing here reads the environment: the
caller says which file, which context. Relative paths in a kubeconfig are relative to that file, as kubectl has it.
"""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from inferplane.kernel.errors import InferplaneError


class KubeconfigError(InferplaneError):
    """The file is absent, unreadable, or says something that we can't use; the message names the place in it."""


@dataclass(frozen=True, slots=True)
class Connection:
    """PEM texts are empty when absent. `token_file` is read again from time to time: on clusters tokens rotate."""

    server: str
    ca: str = ""
    insecure: bool = False
    token: str = ""
    token_file: Path | None = None
    client_certificate: str = ""
    client_key: str = ""
    tls_server_name: str = ""
    namespace: str = "default"


class _Kebab(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    pass


class _Cluster(_Kebab, frozen=True, kw_only=True):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""


class _User(_Kebab, frozen=True, kw_only=True):
    token: str = ""
    token_file: str = msgspec.field(default="", name="tokenFile")
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    exec: object = None


class _Context(_Kebab, frozen=True, kw_only=True):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _NamedCluster(_Kebab, frozen=True, kw_only=True):
    name: str
    cluster: _Cluster


class _NamedUser(_Kebab, frozen=True, kw_only=True):
    name: str
    user: _User


class _NamedContext(_Kebab, frozen=True, kw_only=True):
    name: str
    context: _Context


class _Kubeconfig(_Kebab, frozen=True, kw_only=True):
    current_context: str = ""
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None


def read_kubeconfig(path: Path, context: str = "") -> Connection:
    """The connection of `context`, or of the file's current-context. Raises KubeconfigError."""
    config = _parse(path)
    name = context or config.current_context
    if not name:
        raise KubeconfigError(f"{path}: current-context is not set", fix="choose one: kubectl config use-context NAME")
    chosen = _named({one.name: one.context for one in config.contexts or []}, name, "context", path)
    cluster = _named({one.name: one.cluster for one in config.clusters or []}, chosen.cluster, "cluster", path)
    users = {one.name: one.user for one in config.users or []}
    user = _named(users, chosen.user, "user", path) if chosen.user else _User()
    return _connection(path, chosen, cluster, user)


def in_cluster(host: str, port: str, directory: Path) -> Connection:
    """What a pod gets: KUBERNETES_SERVICE_HOST and _PORT, and the directory its service account is mounted at."""
    authority = f"[{host}]" if ":" in host else host
    namespace = directory / "namespace"
    return Connection(
        server=f"https://{authority}:{port}",
        ca=_read(directory / "ca.crt"),
        token_file=directory / "token",
        namespace=_read(namespace).strip() if namespace.exists() else "default",
    )


def _connection(path: Path, context: _Context, cluster: _Cluster, user: _User) -> Connection:
    if not cluster.server.startswith(("https://", "http://")):
        raise KubeconfigError(f"{path}: cluster {context.cluster!r}: server: expected a URL, got {cluster.server!r}")
    if user.exec is not None and not (user.token or user.token_file or user.client_certificate_data):
        raise KubeconfigError(
            f"{path}: user {context.user!r} gets its credentials from a command (exec), which is not supported",
            fix="use a token or a client certificate, for example of a service account: kubectl create token NAME",
        )
    return Connection(
        server=cluster.server.rstrip("/"),
        ca=_pem(path, cluster.certificate_authority_data, cluster.certificate_authority, "certificate-authority-data"),
        insecure=cluster.insecure_skip_tls_verify,
        token=user.token,
        token_file=path.parent / user.token_file if user.token_file and not user.token else None,
        client_certificate=_pem(path, user.client_certificate_data, user.client_certificate, "client-certificate-data"),
        client_key=_pem(path, user.client_key_data, user.client_key, "client-key-data"),
        tls_server_name=cluster.tls_server_name,
        namespace=context.namespace or "default",
    )


def _parse(path: Path) -> _Kubeconfig:
    try:
        return msgspec.convert(yaml.safe_load(_read(path)) or {}, _Kubeconfig)
    except yaml.YAMLError as error:
        raise KubeconfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except msgspec.ValidationError as error:
        raise KubeconfigError(f"{path}: not a kubeconfig: {error}") from error


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise KubeconfigError(f"{path}: cannot be read: {error}") from error


_Entry = TypeVar("_Entry")


def _named(entries: dict[str, _Entry], name: str, what: str, path: Path) -> _Entry:
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none"
        raise KubeconfigError(f"{path}: there is no {what} {name!r}; there are: {known}")
    return entries[name]


def _pem(path: Path, data: str, file: str, field: str) -> str:
    """Inline base64 wins over a file, as in client-go."""
    if data:
        try:
            return base64.b64decode(data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise KubeconfigError(f"{path}: {field}: expected a PEM text in base64: {error}") from error
    return _read(path.parent / file) if file else ""
