"""Models of the Hugging Face Hub over its HTTP API: `hf://OWNER/MODEL[:REVISION]`.

A revision is resolved to a commit first, so what comes is of one piece. Every file is checked: large ones by the
SHA-256 that the Hub names them by, small ones by their git hash. `HF_TOKEN` and `HF_ENDPOINT` as the Hub's own client
has them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from inferplane.dataplane.storage import uris
from inferplane.dataplane.storage.errors import StorageError, empty
from inferplane.dataplane.storage.remote import Digest, Entry
from inferplane.dataplane.storage.settings import trust
from inferplane.dataplane.storage.web import About, Web, range_header
from inferplane.kernel.json import Json, JsonObject, number_at, object_at, text_at

_HUB = "https://huggingface.co"
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')


class Hub:
    ranges = True

    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        self._uri = uri
        self._model = uris.hub_model(uri)
        self._endpoint = (environ.get("HF_ENDPOINT") or _HUB).rstrip("/")
        token = environ.get("HF_TOKEN", "")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._web = Web(
            About(uri, "the token in HF_TOKEN" if token else "a caller without HF_TOKEN"), environ, trust(environ)
        )
        self._commit = ""

    @property
    def name(self) -> str:
        return f"{self._endpoint} {self._model.repository}"

    def entries(self) -> list[Entry]:
        base = f"{self._endpoint}/api/models/{quote(self._model.repository)}"
        self._commit = text_at(self._object(f"{base}/revision/{quote(self._model.revision, safe='')}"), "sha")
        if not self._commit:
            raise StorageError(f"{self._uri}: {self._endpoint} named no commit for {self._model.revision}")
        found = [_entry(one) for one in self._tree(f"{base}/tree/{self._commit}?recursive=true")]
        if not found:
            raise empty(self._uri)
        return found

    def _object(self, url: str) -> JsonObject:
        found: Json = json.loads(self._web.body(url, self._headers))
        return found if isinstance(found, dict) else {}

    def _tree(self, url: str) -> Iterator[JsonObject]:
        """The files, page by page."""
        while url:
            with self._web.answer(url, self._headers) as found:
                page: Json = json.loads(found.read())
                following = _NEXT.search(found.headers.get("Link", ""))
            for one in page if isinstance(page, list) else []:
                if isinstance(one, dict) and one.get("type") == "file":
                    yield one
            url = following[1] if following else ""

    def digest(self, entry: Entry) -> Digest | None:
        return entry.digest

    def read(self, entry: Entry, start: int, stop: int | None) -> Iterator[bytes]:
        url = f"{self._endpoint}/{quote(self._model.repository)}/resolve/{self._commit}/{quote(entry.key)}"
        # Redirects to the store of large files go without the token: urllib3 leaves it out for another host.
        return self._web.chunks(url, {**self._headers, **range_header(start, stop)}, {})


def _entry(item: JsonObject) -> Entry:
    path, large = text_at(item, "path"), object_at(item, "lfs")
    if sha256 := text_at(large, "oid"):
        return Entry(path, path, number_at(large, "size"), sha256, Digest("sha256", sha256.removeprefix("sha256:")))
    oid = text_at(item, "oid")
    return Entry(path, path, number_at(item, "size"), oid, Digest("git-sha1", oid) if oid else None)
