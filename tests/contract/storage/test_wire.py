"""S3's wire: connections that break, certificates, identities; by a server that does what a test says."""

import hashlib
import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest
import trustme
from tests.contract.storage.servers import Answer, Asked, file, web
from tests.unit.dataplane.storage.test_cache import tree

from inferplane.dataplane.storage.cache import Cache
from inferplane.dataplane.storage.errors import StorageError
from inferplane.dataplane.storage.fetch import Fetcher
from inferplane.dataplane.storage.transfer import Effort, Meter

CONTENT = bytes(range(256)) * 40
ETAG = f'"{hashlib.md5(CONTENT).hexdigest()}"'
LIST = (
    "<ListBucketResult><Name>models</Name><IsTruncated>false</IsTruncated><Contents><Key>iris/model.bin</Key>"
    f"<LastModified>2026-11-23T10:00:00.000Z</LastModified><ETag>{ETAG}</ETag><Size>{len(CONTENT)}</Size></Contents>"
    "</ListBucketResult>"
).encode()
DATED = {"ETag": ETAG, "Last_Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}


class Bucket:
    """One object; the first `cuts` answers with its content end too early. `status` refuses everything."""

    def __init__(self, cuts: int = 0, content: bytes = CONTENT, status: int = 0, code: str = "") -> None:
        self.cuts = cuts
        self.content = content
        self.refusal = (
            Answer(f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), status) if status else None
        )

    def __call__(self, asked: Asked) -> Answer | None:
        if self.refusal is not None:
            return self.refusal
        if "list-type" in asked.query:
            return Answer(LIST, 200, {"Content-Type": "application/xml"})
        if asked.path != "/models/iris/model.bin":
            return None
        self.cuts -= 1
        return file(asked, self.content, cut=3000 if self.cuts >= 0 else -1, **DATED)


def fetched(root: Path, url: str, environ: Mapping[str, str] | None = None) -> dict[str, bytes]:
    keys = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "hidden", "AWS_ENDPOINT_URL": url}
    effort = Effort(tries=5, sleep=lambda _: None)
    fetcher = Fetcher(
        Cache(root / "cache", 1 << 30), {**keys, "S3_MAX_ATTEMPTS": "1", **(environ or {})}, effort, meter=Meter()
    )
    return tree(fetcher.fetch("s3://models/iris", root / "pod"))


def test_a_body_that_is_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    with web(Bucket(cuts=2)) as server:
        assert fetched(tmp_path, server.url) == {"model.bin": CONTENT}
    ranges = [asked.range for asked in server.asked if asked.range]
    assert ranges[0] == "bytes=0-10239"
    assert len(ranges) >= 3
    assert all(asked.headers["if-match"] == ETAG for asked in server.asked if asked.range)


def test_content_that_is_not_what_the_etag_says_is_refused(tmp_path: Path) -> None:
    with web(Bucket(content=bytes(len(CONTENT)))) as server, pytest.raises(StorageError, match="corrupt: expected md5"):
        fetched(tmp_path, server.url)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "AccessDenied", "access denied to access key AKIA1: AccessDenied: no"),
        (403, "SignatureDoesNotMatch", r"the credentials are not valid \(access key AKIA1\): SignatureDoesNotMatch"),
        (400, "ExpiredToken", "the credentials are not valid"),
        (404, "NoSuchBucket", "no such bucket"),
        (503, "SlowDown", "expected HTTP status 200 from http://127.0.0.1:.*, got 503 SlowDown: no"),
    ],
)
def test_a_refusal_is_said_in_the_stores_words(tmp_path: Path, status: int, code: str, words: str) -> None:
    with web(Bucket(status=status, code=code)) as server, pytest.raises(StorageError, match=words) as caught:
        fetched(tmp_path, server.url)
    assert "hidden" not in str(caught.value)


def test_an_anonymous_reader_signs_nothing(tmp_path: Path) -> None:
    with web(Bucket()) as server:
        fetched(tmp_path, server.url, {"awsAnonymousCredential": "true"})
    assert not [asked for asked in server.asked if "authorization" in asked.headers]


def test_a_signed_reader_is_named_but_never_its_secret(tmp_path: Path) -> None:
    with web(Bucket()) as server:
        fetched(tmp_path, server.url, {"AWS_SESSION_TOKEN": "session"})
    assert all("Credential=AKIA1/" in asked.headers["authorization"] for asked in server.asked)
    assert {asked.headers.get("x-amz-security-token") for asked in server.asked} == {"session"}


# --- certificates -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_s3_trusts_the_authorities_that_are_named(tmp_path: Path, authority: trustme.CA, tls: ssl.SSLContext) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    with web(Bucket(), tls) as server:
        assert fetched(tmp_path, server.url, {"AWS_CA_BUNDLE": str(tmp_path / "ca.crt")}) == {"model.bin": CONTENT}


def test_s3_trusts_everybody_when_it_is_told_to(tmp_path: Path, tls: ssl.SSLContext) -> None:
    with web(Bucket(), tls) as server:
        assert fetched(tmp_path, server.url, {"S3_VERIFY_SSL": "0"}) == {"model.bin": CONTENT}


def test_s3_trusts_nobody_else(tmp_path: Path, tls: ssl.SSLContext) -> None:
    with (
        web(Bucket(), tls) as server,
        pytest.raises(StorageError, match=r"the certificate of https://127.0.0.1:.* is not trusted"),
    ):
        fetched(tmp_path, server.url)


def test_web_servers_are_trusted_by_the_clusters_bundle(
    tmp_path: Path, authority: trustme.CA, tls: ssl.SSLContext
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "cabundle.crt"))
    cluster = {"CA_BUNDLE_CONFIGMAP_NAME": "global-ca-bundle", "CA_BUNDLE_VOLUME_MOUNT_POINT": str(tmp_path)}
    with web(lambda asked: file(asked, CONTENT, ETag=ETAG), tls) as server:
        uri = f"{server.url}/model.bin"
        fetcher = Fetcher(Cache(tmp_path / "cache", 1 << 30), cluster)
        assert tree(fetcher.fetch(uri, tmp_path / "pod")) == {"model.bin": CONTENT}
        with pytest.raises(StorageError, match=r"is not trusted: .*name its authority's file"):
            Fetcher(Cache(tmp_path / "cache", 1 << 30)).fetch(uri, tmp_path / "other")
