"""S3 and what speaks its protocol, by way of obstore. Variables are KServe's (boto3's names among them)."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from inferplane.dataplane.storage import settings, uris
from inferplane.dataplane.storage.objectstore import ObjectStore, Place, obstore_for
from inferplane.dataplane.storage.remote import Digest
from inferplane.dataplane.storage.web import About, Web, range_header

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, RetryConfig, S3Config

_AWS = "https://s3.amazonaws.com"
_DEFAULT_REGION = "us-east-1"
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')
# With these an ETag is no MD5: its content is hashed after encryption.
_ENCRYPTED = ("aws:kms", "aws:kms:dsse")


class S3(ObjectStore):
    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        obstore_for(uri, "s3")
        from obstore.store import S3Store

        at = uris.bucket_path(uri)
        trust = settings.s3_trust(environ)
        where = endpoint(environ, at.bucket)
        place = Place(uri, f"{where or _AWS} s3://{at.bucket}", at.path, where or _AWS, identity(environ))
        store = S3Store(
            at.bucket,
            config=config(environ, where),
            client_options=client(environ, trust),
            retry_config=retries(environ),
        )
        self._web = Web(About(uri, place.identity), environ, trust)
        super().__init__(place, store, _etag, self._certain)

    def _certain(self, key: str, etag: Digest | None) -> Digest | None:
        """The MD5 that an ETag is; asked when it seems wrong, because of an encrypted object it is none."""
        if etag is None:
            return None
        with self._web.answer(self.signed(key), range_header(0, 1)) as found:
            encrypted = found.headers.get("x-amz-server-side-encryption", "") in _ENCRYPTED
            own_key = "x-amz-server-side-encryption-customer-algorithm" in found.headers
        return None if encrypted or own_key else etag


def endpoint(environ: Mapping[str, str], bucket: str) -> str:
    """The URL to speak to, "" for Amazon's of the region. With virtual buckets it begins with the bucket."""
    given = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or _from_kserve(environ)
    if settings.is_true(environ, "S3_USE_ACCELERATE"):
        return f"https://{bucket}.s3-accelerate.amazonaws.com"
    if not given or given.rstrip("/") == _AWS:
        return ""
    if not settings.is_true(environ, "S3_USER_VIRTUAL_BUCKET"):
        return given.rstrip("/")
    parts = urlsplit(given)
    return urlunsplit((parts.scheme, f"{bucket}.{parts.netloc}", parts.path.rstrip("/"), "", ""))


def _from_kserve(environ: Mapping[str, str]) -> str:
    host = environ.get("S3_ENDPOINT", "")
    if not host or "://" in host:
        return host
    return f"{'http' if settings.is_false(environ, 'S3_USE_HTTPS') else 'https'}://{host}"


def config(environ: Mapping[str, str], where: str) -> "S3Config":
    virtual = not where or settings.is_true(environ, "S3_USER_VIRTUAL_BUCKET")
    found: S3Config = {
        "region": environ.get("AWS_DEFAULT_REGION") or environ.get("AWS_REGION") or _DEFAULT_REGION,
        "virtual_hosted_style_request": virtual or settings.is_true(environ, "S3_USE_ACCELERATE"),
    }
    if where:
        found["endpoint"] = where
    if settings.is_true(environ, "awsAnonymousCredential"):
        found["skip_signature"] = True
    elif environ.get("AWS_ACCESS_KEY_ID"):
        found["access_key_id"] = environ["AWS_ACCESS_KEY_ID"]
        found["secret_access_key"] = environ.get("AWS_SECRET_ACCESS_KEY", "")
        if environ.get("AWS_SESSION_TOKEN"):
            found["session_token"] = environ["AWS_SESSION_TOKEN"]
    return found


def client(environ: Mapping[str, str], trust: settings.Trust) -> "ClientConfig":
    """For every store that obstore speaks to. The whole request has no limit in time: a part may be long."""
    found: ClientConfig = {
        "allow_http": True,
        "connect_timeout": f"{settings.number(environ, 'S3_CONNECT_TIMEOUT', 15)}s",
        "read_timeout": f"{settings.number(environ, 'S3_READ_TIMEOUT', 30)}s",
        "timeout": "1h",
        "user_agent": "inferplane",
    }
    if not trust.verify:
        found["allow_invalid_certificates"] = True
    elif trust.authorities is not None:
        found["root_certificate"] = trust.authorities.read_bytes()
    return found


def retries(environ: Mapping[str, str]) -> "RetryConfig":
    return {"max_retries": settings.number(environ, "S3_MAX_ATTEMPTS", 3) - 1}


def identity(environ: Mapping[str, str]) -> str:
    """Who asks, in words that hold no secret."""
    if settings.is_true(environ, "awsAnonymousCredential"):
        return "an anonymous caller"
    if key := environ.get("AWS_ACCESS_KEY_ID"):
        return f"access key {key}"
    if role := environ.get("AWS_ROLE_ARN"):
        return f"role {role}"
    return "the role of this machine"


def _etag(meta: "ObjectMeta") -> Digest | None:
    """The MD5 of an object that was uploaded in one part; with more parts the ETag ends in -N."""
    found = _MD5.fullmatch(meta["e_tag"] or "")
    return Digest("md5", found[1]) if found else None
