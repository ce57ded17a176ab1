"""Azure Blob Storage by way of obstore: `https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH[?SAS]`.

`AZURE_SERVICE_URL` sends the requests to another endpoint (an emulator, a sovereign cloud); the account is then still
the URI's. Content-MD5 is asked for one object at a time, since lists as obstore gives them leave it out.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING

from inferplane.dataplane.storage import settings, uris
from inferplane.dataplane.storage.errors import StorageError
from inferplane.dataplane.storage.objectstore import ObjectStore, Place, obstore_for
from inferplane.dataplane.storage.remote import Digest
from inferplane.dataplane.storage.s3 import client, retries
from inferplane.dataplane.storage.web import About, Web, range_header

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import AzureConfig

_PAIRS = {"client_id": "CLIENT_ID", "client_secret": "CLIENT_SECRET", "tenant_id": "TENANT_ID"}


class AzureBlobs(ObjectStore):
    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        obstore_for(uri, "azure")
        from obstore.store import AzureStore

        at = uris.azure_blob(uri)
        trust = settings.trust(environ)
        where = environ.get("AZURE_SERVICE_URL", "").partition("?")[0].rstrip("/") or at.endpoint
        place = Place(uri, f"{where}/{at.container}", at.path, where, identity(environ, at))
        self._direct = f"{where}/{at.container}/", f"?{at.sas}" if at.sas else ""
        self._signs = "account_key" in (asked := config(environ, at, where))
        store = AzureStore(
            at.container, config=asked, client_options=client(environ, trust), retry_config=retries(environ)
        )
        self._web = Web(About(uri, place.identity), environ, trust)
        super().__init__(place, store, _unsaid, self._content_md5)

    def _content_md5(self, key: str, known: Digest | None) -> Digest | None:
        """What the uploader said; None where nobody did, or where it can't be asked without the store's own token."""
        if known is not None:
            return known
        try:
            with self._web.answer(self._url(key), range_header(0, 1)) as found:
                text = found.headers.get("x-ms-blob-content-md5", "")
        except StorageError:
            # A token that may read but not sign: the length alone is checked then.
            return None
        try:
            return Digest("md5", base64.b64decode(text, validate=True).hex()) if text else None
        except binascii.Error:
            return None

    def _url(self, key: str) -> str:
        if self._signs:
            return self.signed(key)
        from urllib.parse import quote

        return f"{self._direct[0]}{quote(key)}{self._direct[1]}"


def config(environ: Mapping[str, str], at: uris.Blob, where: str) -> "AzureConfig":
    """A service principal before an account's key before a signature in the URI; else anonymous."""
    found: AzureConfig = {"account_name": environ.get("AZURE_ACCOUNT_NAME") or at.account, "endpoint": where}
    principal = {name: _either(environ, suffix) for name, suffix in _PAIRS.items()}
    if all(principal.values()):
        found["client_id"] = principal["client_id"]
        found["client_secret"] = principal["client_secret"]
        found["tenant_id"] = principal["tenant_id"]
    elif token := environ.get("AZURE_ACCESS_TOKEN"):
        found["token"] = token
    elif key := environ.get("AZURE_STORAGE_ACCESS_KEY"):
        found["account_key"] = key
    elif at.sas:
        found["sas_key"] = at.sas
    elif environ.get("AZURE_FEDERATED_TOKEN_FILE") and principal["client_id"]:
        found["federated_token_file"] = environ["AZURE_FEDERATED_TOKEN_FILE"]
        found["client_id"] = principal["client_id"]
        found["tenant_id"] = principal["tenant_id"]
    else:
        found["skip_signature"] = True
    return found


def _either(environ: Mapping[str, str], suffix: str) -> str:
    return environ.get(f"AZURE_{suffix}") or environ.get(f"AZ_{suffix}") or ""


def identity(environ: Mapping[str, str], at: uris.Blob) -> str:
    if (client_id := _either(environ, "CLIENT_ID")) and _either(environ, "CLIENT_SECRET"):
        return f"client {client_id}"
    if environ.get("AZURE_ACCESS_TOKEN"):
        return "the access token"
    if environ.get("AZURE_STORAGE_ACCESS_KEY"):
        return f"the access key of account {environ.get('AZURE_ACCOUNT_NAME') or at.account}"
    return "the signature in the URI" if at.sas else "an anonymous caller"


def _unsaid(meta: "ObjectMeta") -> Digest | None:
    return None
