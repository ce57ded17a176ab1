"""What S3 and Azure have in common: obstore (Rust's object_store) does the talking, this turns it into a `Remote`.

obstore tells what went wrong in sentences, so status and error code are read out of them, in this one place.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from inferplane.dataplane.storage.errors import (
    Changed,
    Interrupted,
    NotInstalled,
    StorageError,
    denied,
    empty,
    missing,
    scrubbed,
    shown,
    unauthenticated,
    unreachable,
)
from inferplane.dataplane.storage.remote import Digest, Entry

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import AzureStore, S3Store

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>\s*([\w.]+)\s*</Code>")
_MESSAGE = re.compile(r"<Message>\s*([^<\n]+)")
_URL = re.compile(r"\bhttps?://[^\s?]+")
_CHUNK = 1 << 20
_SIGNED_FOR = timedelta(minutes=5)
_UNAUTHENTICATED = frozenset(
    {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "TokenRefreshRequired",
        "AuthenticationFailed",
        "AuthorizationFailure",
        "InvalidAuthenticationInfo",
    }
)
_NO_SUCH_PLACE = {"NoSuchBucket": "bucket", "ContainerNotFound": "container"}
# What object_store says when no source of credentials has any; it asks the machine's metadata service last.
_NO_CREDENTIALS = ("169.254.169.254", "instance metadata", "GetCredentials", "token request", "MetadataRequest")

_NO_CONNECTION = ("error sending request", "Connect", "dns error", "TimedOut")


def obstore_for(uri: str, extra: str) -> None:
    """Raises NotInstalled when obstore is missing."""
    try:
        import obstore  # noqa: F401
    except ModuleNotFoundError as error:
        raise NotInstalled(uri, "obstore", extra) from error


@dataclass(frozen=True, slots=True)
class Place:
    """Where the objects are: `prefix` is an object's name, or the start of many. `identity` asks, in words."""

    uri: str
    name: str
    prefix: str
    endpoint: str
    identity: str


class ObjectStore:
    """A `Remote`. `ask` finds out an object's digest by its signed URL, where the list doesn't say it."""

    ranges = True

    def __init__(
        self,
        place: Place,
        store: "S3Store | AzureStore",
        digest: Callable[["ObjectMeta"], Digest | None],
        ask: Callable[[str, Digest | None], Digest | None],
    ) -> None:
        self._place = place
        self._store = store
        self._digest = digest
        self._ask = ask

    @property
    def name(self) -> str:
        return self._place.name

    def entries(self) -> list[Entry]:
        import obstore

        prefix = self._place.prefix.rstrip("/")
        try:
            listed = [one for page in obstore.list(self._store, prefix or None, chunk_size=1000) for one in page]
            # Directories are made visible by empty objects; KServe leaves out all that are empty.
            found = [self._entry(one, _below(prefix, one["path"])) for one in listed if one["size"] > 0]
            if not found and prefix and not self._place.prefix.endswith("/"):
                alone = obstore.head(self._store, prefix)
                found = [self._entry(alone, prefix.rpartition("/")[2])] if alone["size"] > 0 else []
        except FileNotFoundError:
            found = []
        except Exception as error:
            raise self._failure(error) from error
        if not found:
            raise empty(self._place.uri)
        return found

    def _entry(self, meta: "ObjectMeta", path: str) -> Entry:
        return Entry(path, meta["path"], meta["size"], meta["e_tag"] or "", self._digest(meta))

    def digest(self, entry: Entry) -> Digest | None:
        return self._ask(entry.key, entry.digest)

    def read(self, entry: Entry, start: int, stop: int | None) -> Iterator[bytes]:
        import obstore

        wanted = (start, entry.size if stop is None else stop)
        try:
            found = obstore.get(
                self._store,
                entry.key,
                options={"range": (wanted[0], wanted[1] or 0), "if_match": _quoted(entry.version)},
            )
            yield from found.stream(min_chunk_size=_CHUNK)
        except Exception as error:
            raise self._failure(error) from error

    def signed(self, key: str) -> str:
        """A URL by which one object can be read for a few minutes; it is a secret."""
        import obstore

        try:
            return obstore.sign(self._store, "GET", key, _SIGNED_FOR)
        except Exception as error:
            raise self._failure(error) from error

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Writes one object, in place of one of that name."""
        import obstore

        try:
            # In one request: nothing is left behind when it fails.
            obstore.put(self._store, key, content, attributes={"Content-Type": content_type}, use_multipart=False)
        except Exception as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> StorageError:
        return failure(error, self._place)


def failure(error: Exception, place: Place) -> StorageError:
    """obstore's error as one of ours."""
    from obstore.exceptions import BaseError, PreconditionError

    if isinstance(error, PreconditionError):
        return Changed(f"{shown(place.uri)}: changed while it was fetched", fix="it is fetched again")
    if isinstance(error, FileNotFoundError):
        return missing(place.uri)
    if not isinstance(error, BaseError | OSError | ValueError):
        raise error
    text = str(error)
    status = _STATUS.search(text)
    code, message = (found[1].strip() if (found := one.search(text)) else "" for one in (_CODE, _MESSAGE))
    said = ": ".join(word for word in (code, message) if word)
    if status is None:
        return _without_answer(text, place)
    return _by_status(int(status[1]), code, said, place)


def _by_status(status: int, code: str, said: str, place: Place) -> StorageError:
    if code in _NO_SUCH_PLACE:
        return missing(place.uri, _NO_SUCH_PLACE[code])
    if status == 401 or code in _UNAUTHENTICATED:
        return unauthenticated(place.uri, identity=place.identity, said=said)
    match status:
        case 403:
            return denied(place.uri, identity=place.identity, said=said)
        case 404:
            return missing(place.uri)
        case 412:
            return Changed(f"{shown(place.uri)}: changed while it was fetched", fix="it is fetched again")
    words = f"{shown(place.uri)}: expected HTTP status 200 from {place.endpoint}, got {status} {said}".strip()
    if status in (301, 307, 400) and "Region" in said:
        return StorageError(words, fix="set the bucket's region (AWS_DEFAULT_REGION, or the annotation s3-region)")
    return (
        Interrupted(words) if status in (408, 429) or status >= 500 else StorageError(words, fix="check the endpoint")
    )


def _without_answer(text: str, place: Place) -> StorageError:
    lines = scrubbed(text.partition("Debug source")[0])
    if any(word in text for word in _NO_CREDENTIALS):
        return StorageError(
            f"{shown(place.uri)}: no credentials: expected keys in the environment, a web identity or a role of this "
            "machine, got none",
            fix="give the service a ServiceAccount with a Secret (see docs/storage.md), "
            "or say that the store takes anonymous readers",
        )
    if "certificate" in text.lower():
        return StorageError(
            f"{shown(place.uri)}: the certificate of {place.endpoint} is not trusted",
            fix='name its authority\'s file in AWS_CA_BUNDLE (or s3-verifyssl: "0" for a test)',
        )
    if "refused" in text:
        return unreachable(place.uri, place.endpoint, "connection refused")
    if any(word in text for word in _NO_CONNECTION):
        return unreachable(place.uri, place.endpoint, _URL.sub(place.endpoint, lines))
    return Interrupted(f"{shown(place.uri)}: {lines}")


def _below(prefix: str, path: str) -> str:
    return path.removeprefix(f"{prefix}/") if prefix else path


def _quoted(tag: str) -> str | None:
    """An ETag as `If-Match` needs it: Azure's lists leave out the quotation marks."""
    if not tag or tag.startswith(("W/", '"')):
        return tag if tag.startswith('"') else None
    return f'"{tag}"'
