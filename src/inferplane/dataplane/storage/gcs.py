"""Google Cloud Storage over its JSON API, which also says each object's checksum: `gs://BUCKET/PATH`.

`GOOGLE_APPLICATION_CREDENTIALS` names the file of an account. Without it the caller is anonymous, and where that is not
enough, whoever the machine is (application default credentials). `STORAGE_EMULATOR_HOST` is another endpoint, without
accounts.
"""

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from inferplane.dataplane.storage import settings, uris
from inferplane.dataplane.storage.errors import (
    NotInstalled,
    Refused,
    StorageError,
    empty,
    scrubbed,
    shown,
    unauthenticated,
)
from inferplane.dataplane.storage.remote import Digest, Entry
from inferplane.dataplane.storage.web import About, Web, range_header
from inferplane.kernel.json import JsonObject, list_at, number_at, text_at

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_GOOGLE = "https://storage.googleapis.com"
READ = "https://www.googleapis.com/auth/devstorage.read_only"
WRITE = "https://www.googleapis.com/auth/devstorage.read_write"
_FIELDS = "items(name,size,md5Hash,crc32c,generation,etag),nextPageToken"


class CloudStorage:
    ranges = True

    def __init__(self, uri: str, environ: Mapping[str, str], scope: str = READ) -> None:
        self._uri = uri
        self._environ = environ
        self._scope = scope
        self._at = uris.bucket_path(uri)
        self._endpoint = endpoint(environ)
        self._file = environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
        self._credentials = _from_file(self._file, uri, scope) if self._file and self._endpoint == _GOOGLE else None
        self._lock = threading.Lock()
        self._web = self._connected("an anonymous caller" if self._credentials is None else _words(self._credentials))

    def _connected(self, identity: str) -> Web:
        return Web(About(self._uri, identity), self._environ, settings.trust(self._environ))

    @property
    def name(self) -> str:
        return f"{self._endpoint} gs://{self._at.bucket}"

    def entries(self) -> list[Entry]:
        try:
            return self._entries()
        except Refused as error:
            self._become_the_machine(error)
            return self._entries()

    def _become_the_machine(self, refusal: Refused) -> None:
        """For a caller who was refused without credentials. Raises `refusal` where that changes nothing."""
        if self._credentials is not None or self._endpoint != _GOOGLE:
            raise refusal
        self._credentials = _of_the_machine(refusal, self._scope)
        self._web = self._connected(_words(self._credentials))

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Writes one object, in place of one of that name."""
        try:
            self._put(key, content, content_type)
        except Refused as error:
            self._become_the_machine(error)
            self._put(key, content, content_type)

    def _put(self, key: str, content: bytes, content_type: str) -> None:
        asked = urlencode({"uploadType": "media", "name": key})
        url = f"{self._endpoint}/upload/storage/v1/b/{quote(self._at.bucket, safe='')}/o?{asked}"
        self._web.post(url, content, {**self._headers(), "Content-Type": content_type})

    def _entries(self) -> list[Entry]:
        path = self._at.path.rstrip("/")
        prefix = f"{path}/" if path else ""
        found = [self._entry(one, text_at(one, "name").removeprefix(prefix)) for one in self._list(prefix)]
        if not found and path and path == self._at.path:
            exact = [one for one in self._list(path) if text_at(one, "name") == path]
            found = [self._entry(one, path.rpartition("/")[2]) for one in exact]
        if not found:
            raise empty(self._uri)
        return found

    def _list(self, prefix: str) -> Iterator[JsonObject]:
        """Objects whose names begin so, without what only stands for a directory."""
        token = ""
        while True:
            asked = {"prefix": prefix, "fields": _FIELDS} | ({"pageToken": token} if token else {})
            page: JsonObject = json.loads(self._web.body(f"{self._objects}?{urlencode(asked)}", self._headers()))
            for one in list_at(page, "items"):
                if isinstance(one, dict) and not text_at(one, "name").endswith("/"):
                    yield one
            if not (token := text_at(page, "nextPageToken")):
                return

    @property
    def _objects(self) -> str:
        return f"{self._endpoint}/storage/v1/b/{quote(self._at.bucket, safe='')}/o"

    def _entry(self, item: JsonObject, path: str) -> Entry:
        # Numbers are texts in Google's JSON; emulators aren't all as strict.
        size, generation = (text_at(item, field) or str(number_at(item, field)) for field in ("size", "generation"))
        return Entry(path, text_at(item, "name"), int(size), f"{generation} {text_at(item, 'etag')}", _digest(item))

    def digest(self, entry: Entry) -> Digest | None:
        return entry.digest

    def read(self, entry: Entry, start: int, stop: int | None) -> Iterator[bytes]:
        generation = entry.version.partition(" ")[0]
        asked = {"alt": "media"} | ({"generation": generation} if generation != "0" else {})
        url = f"{self._objects}/{quote(entry.key, safe='')}?{urlencode(asked)}"
        return self._web.chunks(url, {**self._headers(), **range_header(start, stop)}, {})

    def _headers(self) -> dict[str, str]:
        if self._credentials is None:
            return {}
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.urllib3 import Request

        try:
            with self._lock:
                if not self._credentials.valid:
                    self._credentials.refresh(Request(self._web.manager(_GOOGLE)))  # type: ignore[no-untyped-call]  # google-auth is typed in part
        except GoogleAuthError as error:
            raise unauthenticated(self._uri, identity=_words(self._credentials), said=str(error)) from error
        return {"Authorization": f"Bearer {self._credentials.token}"}


def endpoint(environ: Mapping[str, str]) -> str:
    host = environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
    if not host:
        return _GOOGLE
    return host if "://" in host else f"http://{host}"


def _digest(item: JsonObject) -> Digest | None:
    """An object that was composed of others has no MD5, but always a CRC32C."""
    for algorithm, field in (("md5", "md5Hash"), ("crc32c", "crc32c")):
        if text := text_at(item, field):
            return Digest(algorithm, base64.b64decode(text).hex())
    return None


def _from_file(file: str, uri: str, scope: str) -> "Credentials":
    try:
        import google.auth
        from google.auth.exceptions import GoogleAuthError
    except ModuleNotFoundError as error:
        raise NotInstalled(uri, "google-auth", "gcs") from error
    try:
        found, _ = google.auth.load_credentials_from_file(file, scopes=[scope])  # type: ignore[no-untyped-call]  # as above
    except (GoogleAuthError, ValueError, OSError) as error:
        raise StorageError(
            f"{shown(uri)}: the credentials in {Path(file).name} cannot be used: {scrubbed(str(error))}",
            fix="put the JSON of a service account's key into the Secret",
        ) from error
    return found  # type: ignore[no-any-return]  # google-auth has no types for this


def _of_the_machine(refusal: StorageError, scope: str) -> "Credentials":
    """Application default credentials. Raises `refusal` when there are none."""
    try:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError
    except ModuleNotFoundError:
        raise refusal from None
    try:
        found, _ = google.auth.default(scopes=[scope])
    except DefaultCredentialsError:
        raise refusal from None
    return found


def _words(credentials: "Credentials") -> str:
    mail = getattr(credentials, "service_account_email", "")
    return f"account {mail}" if mail else "the given Google credentials"
