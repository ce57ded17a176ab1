"""HTTP as the stores need it: ranges, one mapping of what can go wrong, no secret in any message.

Connections are made by urllib3. A body that ends early, a timeout and an answer such as 503 are `Interrupted`, so that
`transfer` goes on from where it stopped; what will not change by itself is a `StorageError` at once.
"""

import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed leaves it out

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError

from inferplane.dataplane.storage.errors import (
    Changed,
    Interrupted,
    StorageError,
    denied,
    missing,
    scrubbed,
    shown,
    unauthenticated,
    unreachable,
)
from inferplane.dataplane.storage.settings import Trust, number

_CHUNK = 1 << 20
_SAID = 500
_TRY_LATER = (408, 425, 429, 500, 502, 503, 504)
_REDIRECTS = 10
# urllib3's words begin with the object that speaks; the endpoint is in our own already.
_WHO = re.compile(r"^HTTPS?Connection(Pool)?\([^)]*\): ")


@dataclass(frozen=True, slots=True)
class About:
    """Who asks, and for what: the words of the errors. `identity` names the credentials without their secret."""

    uri: str
    identity: str = "an anonymous caller"


class Web:
    """The connections of one fetch; used by several threads. Times in seconds."""

    def __init__(self, about: About, environ: Mapping[str, str], trust: Trust, *, pool: int = 16) -> None:
        self.about = about
        self._environ = environ
        self._timeout = urllib3.Timeout(
            connect=number(environ, "STORAGE_CONNECT_TIMEOUT", 15), read=number(environ, "STORAGE_READ_TIMEOUT", 30)
        )
        self._trust = trust
        self._pool = pool
        self._making = threading.Lock()
        self._managers: dict[tuple[str, str], urllib3.PoolManager] = {}

    def manager(self, url: str) -> urllib3.PoolManager:
        """The connections to a URL's host, through the proxy of the environment if there is one."""
        proxy, scheme = _proxy(self._environ, url), urlsplit(url).scheme
        with self._making:
            if (proxy, scheme) not in self._managers:
                # The system's authorities take a while to read, and only some requests need them.
                context = _context(self._trust) if "https" in (scheme, urlsplit(proxy).scheme) else None
                made = urllib3.ProxyManager(proxy, maxsize=self._pool, ssl_context=context) if proxy else None
                self._managers[proxy, scheme] = made or urllib3.PoolManager(maxsize=self._pool, ssl_context=context)
            return self._managers[proxy, scheme]

    @contextmanager
    def answer(
        self, url: str, headers: Mapping[str, str] | None = None, *, accepted: tuple[int, ...] = ()
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """The answer to a GET, its body not yet read; a status outside of 2xx raises unless it is `accepted`."""
        found = self._asked("GET", url, headers or {}, None)
        try:
            if not 200 <= found.status < 300 and found.status not in accepted:
                raise self.refusal(found, url)
            yield found
        except HTTPError as error:
            raise self._failure(error, url) from error
        finally:
            # What is left of a body is not waited for: the connection is given up.
            found.close() if found.connection is not None else found.release_conn()

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Raises for a status outside of 2xx."""
        found = self._asked("POST", url, headers, content)
        try:
            if not 200 <= found.status < 300:
                raise self.refusal(found, url)
            found.drain_conn()
        finally:
            found.release_conn()

    def _asked(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self.manager(url).request(
                method,
                url,
                body=content,
                headers={"Accept-Encoding": "identity", "User-Agent": "inferplane", **headers},
                preload_content=False,
                timeout=self._timeout,
                retries=urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=_REDIRECTS),
            )
        except HTTPError as error:
            raise self._failure(error, url) from error

    def chunks(self, url: str, headers: Mapping[str, str], expect: Mapping[str, str]) -> Iterator[bytes]:
        """The body of an answer. Raises Changed when one of the headers in `expect` has another value than before."""
        with self.answer(url, headers) as found:
            for name, value in expect.items():
                if found.headers.get(name, value) != value:
                    raise Changed(f"{shown(self.about.uri)}: changed while it was fetched", fix="it is fetched again")
            try:
                yield from found.stream(_CHUNK, decode_content=False)
            except HTTPError as error:
                raise self._failure(error, url) from error

    def body(self, url: str, headers: Mapping[str, str] | None = None) -> bytes:
        """A whole body that fits in memory."""
        with self.answer(url, headers) as found:
            try:
                return bytes(found.read())
            except HTTPError as error:
                raise self._failure(error, url) from error

    def refusal(self, found: urllib3.BaseHTTPResponse, url: str) -> StorageError:
        """What a status means, with the server's own words where it gave any."""
        said = _said(found)
        match found.status:
            case 401:
                return unauthenticated(self.about.uri, identity=self.about.identity, said=said)
            case 403:
                return denied(self.about.uri, identity=self.about.identity, said=said)
            case 404 | 410:
                return missing(self.about.uri)
            case 412:
                return Changed(f"{shown(self.about.uri)}: changed while it was fetched", fix="it is fetched again")
        words = (
            f"{shown(self.about.uri)}: expected HTTP status 200 from {_host(url)}, got {found.status} {said}".strip()
        )
        return Interrupted(words) if found.status in _TRY_LATER else StorageError(words, fix="correct the storageUri")

    def _failure(self, error: HTTPError, url: str) -> StorageError:
        cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        if isinstance(cause, SSLError):
            return StorageError(
                f"{shown(self.about.uri)}: the certificate of {_host(url)} is not trusted: {scrubbed(str(cause))}",
                fix="name its authority's file (a CA bundle, see docs/storage.md)",
            )
        return unreachable(self.about.uri, _host(url), _WHO.sub("", str(cause)))


def range_header(start: int, stop: int | None) -> dict[str, str]:
    if start == 0 and stop is None:
        return {}
    return {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}


def _said(found: urllib3.BaseHTTPResponse) -> str:
    """A short body in words: a page of HTML says nothing that its status doesn't."""
    if "html" in found.headers.get("Content-Type", ""):
        return ""
    try:
        return scrubbed(found.read(_SAID).decode(errors="replace"))
    except HTTPError:
        return ""  # the status is what counts


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _context(trust: Trust) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        if trust.authorities is not None:
            context.load_verify_locations(trust.authorities)
        if trust.own is not None:
            context.load_cert_chain(*trust.own)
    except OSError as error:
        files = ", ".join(str(one) for one in (trust.authorities, *(trust.own or ())) if one)
        raise StorageError(f"a certificate cannot be read: {error}", fix=f"look at {files}") from error
    if not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _proxy(environ: Mapping[str, str], url: str) -> str:
    parts = urlsplit(url)
    outside = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if proxy_bypass_environment(parts.netloc.rpartition("@")[2], {"no": outside}):
        return ""
    name = f"{parts.scheme}_proxy"
    return environ.get(name) or environ.get(name.upper()) or ""
