"""One file from a web server: `http(s)://host/path/model.joblib`, or an archive that is unpacked.

A first request for one byte says whether there is anything, how long it is, what it is, and whether the server can go
on in the middle. Headers for a host come from the variable `HOST-headers` (JSON), made of a secret with `https-host`.
"""

from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, unquote, urlsplit

import urllib3

from inferplane.dataplane.storage.errors import StorageError, shown
from inferplane.dataplane.storage.remote import Digest, Entry
from inferplane.dataplane.storage.settings import json_variable, trust
from inferplane.dataplane.storage.uris import archive_of
from inferplane.dataplane.storage.web import About, Web, range_header

_ZIP = ("application/zip", "application/x-zip-compressed", "application/zip-compressed")
_TAR = ("application/x-tar", "application/x-gtar")
_GZIP = ("application/x-gzip", "application/gzip", "application/x-compressed-tar", "application/x-tgz")
_ANY = ("application/octet-stream", "binary/octet-stream", "")
_EXPECTED = {"zip": (*_ZIP, *_ANY), "tar": (*_TAR, *_GZIP, *_ANY)}
# RFC 9110, 8.8.2.2: a date says only then that nothing changed when there was no second change within it.
_SETTLED = 2.0


class HttpFile:
    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        self._uri = uri
        host = urlsplit(uri).hostname or ""
        given = json_variable(environ, f"{host}-headers")
        self._headers = {name: str(value) for name, value in given.items()}
        identity = f"the headers of {host}-headers" if given else "an anonymous caller"
        self._web = Web(About(uri, identity), environ, trust(environ))
        self._expect: dict[str, str] = {}
        self.ranges = False

    @property
    def name(self) -> str:
        return shown(self._uri)

    def entries(self) -> list[Entry]:
        name = file_name(self._uri)
        first = {**self._headers, **range_header(0, 1)}
        with self._web.answer(self._uri, first, accepted=(416,)) as found:
            self.ranges = found.status == 206
            size = _total(found)
            kind = found.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            version = _version(found.headers)
            self._expect = {key: found.headers[key] for key in ("ETag", "Last-Modified") if key in found.headers}
        archive = _archive(self._uri, name, kind)
        # The query may be what names the file, or what proves the right to read it; it is part of the key only.
        return [Entry(name, self._uri, size, version, archive=archive)]

    def digest(self, entry: Entry) -> Digest | None:
        return entry.digest

    def read(self, entry: Entry, start: int, stop: int | None) -> Iterator[bytes]:
        headers = {**self._headers, **range_header(start, stop)}
        if (tag := self._expect.get("ETag", "")).startswith('"'):
            headers["If-Match"] = tag
        return self._web.chunks(self._uri, headers, self._expect)


def file_name(uri: str) -> str:
    """The last part of the path; where that names no archive, a name of one in the query. Raises StorageError."""
    parts = urlsplit(uri)
    name = unquote(parts.path).rpartition("/")[2]
    if not archive_of(name):
        for _, value in parse_qsl(parts.query):
            if archive_of(last := value.rpartition("/")[2]):
                return last
    if not name:
        raise StorageError(f"No filename contained in URI: {shown(uri)}", fix="name one file, or an archive of many")
    return name


def _archive(uri: str, name: str, kind: str) -> str:
    """What to unpack, by name and content type. Raises StorageError when these don't agree."""
    by_name = archive_of(name)
    if by_name and kind not in _EXPECTED[by_name]:
        raise StorageError(
            f"URI: {shown(uri)} did not respond with a content type of a {by_name} file: "
            f"expected one of {', '.join(one for one in _EXPECTED[by_name] if one)}, got {kind}"
        )
    if kind == "text/html":
        raise StorageError(
            f"URI: {shown(uri)} did not respond with 'Content-Type': 'application/octet-stream': got a page, {kind}",
            fix="name the file itself, not the page that links to it",
        )
    return by_name or ("zip" if kind in _ZIP else "tar" if kind in _TAR else "")


def _total(found: urllib3.BaseHTTPResponse) -> int | None:
    if found.status == 206:
        total = found.headers.get("Content-Range", "").rpartition("/")[2]
        return int(total) if total.isdecimal() else None
    if found.status == 416:
        return 0  # not even one byte
    length = found.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _version(headers: Mapping[str, str]) -> str:
    """ "" when the answer has nothing that changes with the content for sure."""
    if tag := headers.get("ETag", ""):
        return f"{tag} {headers.get('Last-Modified', '')}".strip()
    try:
        modified, now = (parsedate_to_datetime(headers[name]) for name in ("Last-Modified", "Date"))
        settled = (now - modified).total_seconds() >= _SETTLED
    except (KeyError, ValueError, TypeError):  # a date without a zone can't be compared
        return ""
    return headers["Last-Modified"] if settled else ""
