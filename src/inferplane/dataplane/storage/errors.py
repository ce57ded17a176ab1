"""What can go wrong between a storage URI and a directory: the URI, what was expected, what came, what to do.

No message holds a secret: URIs are shown without user, password and query (where signatures are).
"""

import re
from urllib.parse import urlsplit, urlunsplit

from inferplane.kernel.errors import InferplaneError

_SECRET_VALUES = re.compile(r"(?i)\b(sig|signature|token|access_token|x-amz-[a-z-]+|key)=[^&\s]+")


class StorageError(InferplaneError):
    """A storage URI that leads to no model."""


class Interrupted(StorageError):
    """The connection or the server failed in a way that a later try may not."""


class Changed(StorageError):
    """The object is not the one that was listed: it was replaced meanwhile."""


class Refused(StorageError):
    """The caller is not who it says, or may not read there."""


class NotInstalled(StorageError):
    """The scheme needs a library that is not here."""

    def __init__(self, uri: str, library: str, extra: str) -> None:
        super().__init__(
            f"{shown(uri)}: cannot be fetched: {library} is not installed", fix=f"pip install 'inferplane[{extra}]'"
        )


def shown(uri: str) -> str:
    """The URI as it may be logged."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri.partition("?")[0]
    host = parts.netloc.rpartition("@")[2]
    if (host, "") == (parts.netloc, parts.query):
        return uri
    return urlunsplit((parts.scheme, host, parts.path, "…" if parts.query else "", ""))


def scrubbed(text: str) -> str:
    """Words of a foreign library or server on one line, without what may be a secret."""
    return _SECRET_VALUES.sub(lambda found: f"{found[1]}=…", " ".join(text.split()))


def missing(uri: str, what: str = "object") -> StorageError:
    return StorageError(
        f"{shown(uri)}: no such {what}", fix="correct the storageUri, or upload the model there (names are exact)"
    )


def empty(uri: str) -> StorageError:
    return StorageError(
        f"Failed to fetch model. No model found in {shown(uri)}: expected at least one object with content, got none",
        fix="correct the storageUri, or upload the model there (STORAGE_ALLOW_PATTERNS may leave everything out)",
    )


def denied(uri: str, *, identity: str, said: str = "") -> Refused:
    """`identity` is who asked, in words without a secret, such as `access key AKIA…`."""
    words = f": {scrubbed(said)}" if said else ""
    return Refused(
        f"{shown(uri)}: access denied to {identity}{words}",
        fix="let it list and read there, or give the service other credentials "
        "(a Secret listed in its ServiceAccount, see docs/storage.md)",
    )


def unauthenticated(uri: str, *, identity: str, said: str = "") -> Refused:
    words = f": {scrubbed(said)}" if said else ""
    return Refused(
        f"{shown(uri)}: the credentials are not valid ({identity}){words}",
        fix="correct the Secret that the service's ServiceAccount lists, see docs/storage.md",
    )


def unreachable(uri: str, endpoint: str, said: str) -> Interrupted:
    return Interrupted(
        f"{shown(uri)}: cannot connect to {shown(endpoint)}: {scrubbed(said)}",
        fix="check the endpoint, the network and its proxy",
    )
