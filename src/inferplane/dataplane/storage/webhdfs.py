"""Files of HDFS over WebHDFS: `hdfs://PATH` or `webhdfs://PATH`, on the name nodes that the configuration gives.

Configuration comes from the storage spec's JSON or from a secret's files: HDFS_NAMENODE (several between commas are
tried in turn), HDFS_ROOTPATH, USER_PROXY, HEADERS, TLS_CERT, TLS_KEY, TLS_CA, TLS_SKIP_VERIFY. Kerberos needs a
library that Inferplane does not have yet, and says so.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from inferplane.dataplane.storage.errors import Interrupted, StorageError, empty, shown
from inferplane.dataplane.storage.remote import Digest, Entry
from inferplane.dataplane.storage.settings import Trust, is_true, json_variable
from inferplane.dataplane.storage.web import About, Web
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, text_at

_SECRET_DIRECTORY = "var/secrets/kserve-hdfscreds"
_KEYS = (
    "HDFS_NAMENODE",
    "HDFS_ROOTPATH",
    "USER_PROXY",
    "HEADERS",
    "TLS_CERT",
    "TLS_KEY",
    "TLS_CA",
    "TLS_SKIP_VERIFY",
    "KERBEROS_KEYTAB",
    "KERBEROS_PRINCIPAL",
)


class WebHdfs:
    ranges = True

    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        self._uri = uri
        given = configuration(environ)
        self._nodes = [one.strip().rstrip("/") for one in given.get("HDFS_NAMENODE", "").split(",") if one.strip()]
        if not self._nodes:
            raise StorageError(
                f"{shown(uri)}: no name node: expected HDFS_NAMENODE in the storage spec's secret or in "
                f"/{_SECRET_DIRECTORY}, got none",
                fix="add it, such as https://namenode:9871",
            )
        if given.get("KERBEROS_PRINCIPAL") or given.get("KERBEROS_KEYTAB"):
            raise StorageError(
                f"{shown(uri)}: Kerberos is not supported: no library for it is part of Inferplane",
                fix="use a delegation token in HEADERS, or a gateway (HttpFS, Knox) that takes one",
            )
        self._path = f"{given.get('HDFS_ROOTPATH', '').rstrip('/')}/{uri.partition('://')[2].lstrip('/')}".rstrip("/")
        self._user = given.get("USER_PROXY", "")
        headers = json_variable(given, "HEADERS")
        self._headers = {name: str(value) for name, value in headers.items()}
        identity = f"user {self._user}" if self._user else "an anonymous caller"
        self._web = Web(About(uri, identity), environ, _trust(given))

    @property
    def name(self) -> str:
        return f"{self._nodes[0]} hdfs"

    def entries(self) -> list[Entry]:
        found = list(self._below(""))
        if not found:
            raise empty(self._uri)
        return found

    def _below(self, relative: str) -> Iterator[Entry]:
        path = f"{self._path}/{relative}".rstrip("/")
        for one in list_at(self._ask(path, "LISTSTATUS"), "FileStatuses", "FileStatus"):
            if not isinstance(one, dict):
                continue
            suffix = text_at(one, "pathSuffix")
            inside = "/".join(part for part in (relative, suffix) if part)
            if text_at(one, "type") == "DIRECTORY":
                yield from self._below(inside)
            else:
                yield _entry(one, inside or self._path.rpartition("/")[2], f"{path}/{suffix}".rstrip("/"))

    def _ask(self, path: str, operation: str) -> JsonObject:
        """From the first name node that answers as the active one."""
        failure: StorageError | None = None
        for node in list(self._nodes):
            try:
                found: Json = json.loads(self._web.body(self._url(node, path, op=operation), self._headers))
            except StorageError as error:
                if not isinstance(error, Interrupted) and "StandbyException" not in error.message:
                    raise
                failure = failure or error
                continue
            self._nodes.remove(node)
            self._nodes.insert(0, node)
            return found if isinstance(found, dict) else {}
        assert failure is not None
        raise failure

    def _url(self, node: str, path: str, **asked: str | int) -> str:
        user = {"user.name": self._user} if self._user else {}
        return f"{node if '://' in node else f'http://{node}'}/webhdfs/v1{quote(path)}?{urlencode(asked | user)}"

    def digest(self, entry: Entry) -> Digest | None:
        return None

    def read(self, entry: Entry, start: int, stop: int | None) -> Iterator[bytes]:
        length: dict[str, str | int] = {} if stop is None else {"length": stop - start}
        url = self._url(self._nodes[0], entry.key, op="OPEN", offset=start, **length)
        return self._web.chunks(url, self._headers, {})


def configuration(environ: Mapping[str, str]) -> dict[str, str]:
    """The keys above, from the storage spec or from the files of a mounted secret."""
    spec = json_variable(environ, "STORAGE_CONFIG") | json_variable(environ, "STORAGE_OVERRIDE_CONFIG")
    found = {key: str(value) for key, value in spec.items() if key in _KEYS}
    if found:
        return found
    directory = _directory(environ)
    return {key: (directory / key).read_text().strip() for key in _KEYS if (directory / key).is_file()}


def _directory(environ: Mapping[str, str]) -> Path:
    """Where the secret is mounted: below the container's own root, on a machine without containers."""
    if environ.get("HDFS_SECRET_DIR"):
        return Path(environ["HDFS_SECRET_DIR"])
    own = Path(environ.get("HOME", "/"), _SECRET_DIRECTORY)
    return own if own.is_dir() else Path("/", _SECRET_DIRECTORY)


def _trust(given: Mapping[str, str]) -> Trust:
    authorities = Path(given["TLS_CA"]) if given.get("TLS_CA") else None
    certificate, key = given.get("TLS_CERT"), given.get("TLS_KEY")
    own = (Path(certificate), Path(key)) if certificate and key else None
    return Trust(not is_true(given, "TLS_SKIP_VERIFY"), authorities, own)


def _entry(status: JsonObject, path: str, key: str) -> Entry:
    changed, size = number_at(status, "modificationTime"), number_at(status, "length")
    return Entry(path, key, size, f"{changed} {number_at(status, 'fileId')} {size}")
