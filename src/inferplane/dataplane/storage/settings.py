"""The variables that say how to reach a store, read as KServe's initializer reads them. Pure: the environment goes in.

`STORAGE_CONFIG` and `STORAGE_OVERRIDE_CONFIG` (JSON, from the service's `storage` spec) come before single variables.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from inferplane.dataplane.storage.errors import StorageError
from inferplane.kernel.json import JsonObject

_FROM_STORAGE_SPEC = {
    "endpoint_url": "AWS_ENDPOINT_URL",
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "region": "AWS_DEFAULT_REGION",
    "ca_bundle": "AWS_CA_BUNDLE",
    "verify_ssl": "S3_VERIFY_SSL",
    "anonymous": "awsAnonymousCredential",
}
_CA_FILE = "cabundle.crt"
_CA_DIRECTORY = "/etc/ssl/custom-certs"


def effective(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` with what the storage spec says put into the variables of its store. Raises StorageError."""
    config = json_variable(environ, "STORAGE_CONFIG") | json_variable(environ, "STORAGE_OVERRIDE_CONFIG")
    found = {_FROM_STORAGE_SPEC.get(key, key): _text(value) for key, value in config.items() if value is not None}
    return {**environ, **found}


def json_variable(environ: Mapping[str, str], name: str) -> JsonObject:
    """The object in a variable; an absent one is empty. The error doesn't show the text: it may hold keys."""
    if not environ.get(name):
        return {}
    try:
        found = json.loads(environ[name])
    except ValueError as error:
        raise StorageError(f"the variable {name} is not JSON: {_place(error)}", fix="correct the Secret") from None
    if not isinstance(found, dict):
        raise StorageError(f"the variable {name} must hold a JSON object, got a {type(found).__name__}")
    return found


def _place(error: ValueError) -> str:
    return f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "unreadable"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def is_true(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() in ("true", "1", "yes")


def is_false(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() in ("false", "0", "no")


def number(environ: Mapping[str, str], name: str, default: int) -> int:
    """A positive number. Raises StorageError."""
    text = environ.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise StorageError(f"the variable {name}: expected a positive number, got {text!r}")
    return int(text)


def connections(environ: Mapping[str, str]) -> int:
    """How many at once, for any store; the name is KServe's."""
    return number(environ, "S3_MAX_FILE_CONCURRENCY", 8)


@dataclass(frozen=True, slots=True)
class Trust:
    """How servers prove who they are: `verify` at all, and a file of authorities beside the system's.

    `own` are certificate and key by which we prove who we are.
    """

    verify: bool = True
    authorities: Path | None = None
    own: tuple[Path, Path] | None = None


def trust(environ: Mapping[str, str]) -> Trust:
    """Of any store: the bundle that the cluster's ConfigMap brings, or that of the user's environment."""
    if environ.get("CA_BUNDLE_CONFIGMAP_NAME"):
        file = Path(environ.get("CA_BUNDLE_VOLUME_MOUNT_POINT") or _CA_DIRECTORY, _CA_FILE)
        if file.is_file():
            return Trust(authorities=file)
    given = environ.get("REQUESTS_CA_BUNDLE") or environ.get("SSL_CERT_FILE")
    return Trust(authorities=Path(given) if given else None)


def s3_trust(environ: Mapping[str, str]) -> Trust:
    """S3's own rules: `S3_VERIFY_SSL`, and `AWS_CA_BUNDLE` before the cluster's bundle. Raises StorageError."""
    if is_false(environ, "S3_VERIFY_SSL"):
        return Trust(verify=False)
    given = environ.get("AWS_CA_BUNDLE")
    if not given:
        return trust(environ)
    if not Path(given).is_file():
        raise StorageError(
            f"Failed to find ca bundle file({given})", fix="AWS_CA_BUNDLE must name a file that is mounted in the pod"
        )
    return Trust(authorities=Path(given))


@dataclass(frozen=True, slots=True)
class Patterns:
    """Which files are wanted: shell patterns on the relative path. None allows all; an empty tuple allows none."""

    allow: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()

    def wants(self, path: str) -> bool:
        allowed = self.allow is None or any(fnmatch(path, one) for one in self.allow)
        return allowed and not any(fnmatch(path, one) for one in self.ignore)


def patterns(environ: Mapping[str, str]) -> Patterns:
    return Patterns(_list(environ, "STORAGE_ALLOW_PATTERNS"), _list(environ, "STORAGE_IGNORE_PATTERNS") or ())


def _list(environ: Mapping[str, str], name: str) -> tuple[str, ...] | None:
    """A JSON array, a JSON string, or words between commas."""
    text = environ.get(name, "").strip()
    if not text:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = [word.strip() for word in text.split(",") if word.strip()]
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise StorageError(f"the variable {name}: expected patterns as a JSON array or between commas, got {text!r}")
    return tuple(found)
