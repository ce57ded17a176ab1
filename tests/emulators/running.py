"""Real servers for the tests of storage, each a process of its own, and how tests put objects there.

They live in `.venv-emulators` (scripts/emulators.sh, part of `make test`); a test whose server is not there skips.
"""

import base64
import hashlib
import hmac
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import urllib3

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-emulators"
PYTHON = ENVIRONMENT / "bin" / "python"
AZURITE = ENVIRONMENT / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
# Of every Azurite: its documentation has them.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextmanager
def _process(*command: str | Path) -> Iterator[Iterator[str]]:
    """The lines of its standard output; it ends when its standard input is closed, or by SIGTERM."""
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield iter(process.stdout.readline, "")
        finally:
            process.stdin.close()
            process.terminate()


def _sent(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    found = urllib3.request(method, url, body=body, headers=dict(headers), retries=False, timeout=60)
    assert found.status < 300, f"{method} {url}: {found.status} {found.data!r}"


# --- S3 ---------------------------------------------------------------------------------------------------------------


# moto wants to see who writes, and takes anybody's word unless it is strict.
_SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=access/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=0"
}


@dataclass(frozen=True)
class S3Server:
    url: str

    @property
    def environ(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "access",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def put(self, bucket: str, key: str, content: bytes, **headers: str) -> None:
        self.bucket(bucket)
        _sent("PUT", f"{self.url}/{bucket}/{quote(key)}", content, {**_SIGNED, **headers})

    def bucket(self, bucket: str) -> None:
        _sent("PUT", f"{self.url}/{bucket}", b"", _SIGNED)


@contextmanager
def s3_server(*arguments: str) -> Iterator[S3Server]:
    if not (ENVIRONMENT / "bin" / "moto_server").exists():
        pytest.skip("moto is not installed: sh scripts/emulators.sh")
    with _process(PYTHON, Path(__file__).with_name("s3.py"), *arguments) as lines:
        yield S3Server(next(lines).strip())


# --- GCS --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GcsServer:
    """It has one bucket, `models`."""

    url: str

    @property
    def environ(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": self.url}

    def put(self, bucket: str, name: str, content: bytes) -> None:
        asked = urlencode({"uploadType": "media", "name": name})
        _sent("POST", f"{self.url}/upload/storage/v1/b/{bucket}/o?{asked}", content, {})


@contextmanager
def gcs_server() -> Iterator[GcsServer]:
    if not list(ENVIRONMENT.glob("lib/python*/site-packages/gcp_storage_emulator")):
        pytest.skip("gcp-storage-emulator is not installed: sh scripts/emulators.sh")
    with _process(PYTHON, Path(__file__).with_name("gcs.py")) as lines:
        yield GcsServer(next(lines).strip())


# --- Azure ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AzureServer:
    """`url` with the account in its path, as Azurite has it."""

    url: str

    @property
    def environ(self) -> dict[str, str]:
        return {"AZURE_SERVICE_URL": self.url, "AZURE_STORAGE_ACCESS_KEY": KEY, "AZURE_ACCOUNT_NAME": ACCOUNT}

    def container(self, name: str, *, public: bool = False) -> None:
        access = {"x-ms-blob-public-access": "container"} if public else {}
        url = f"{self.url}/{name}?restype=container&{self.signature()}"
        found = urllib3.request("PUT", url, headers={"x-ms-version": "2021-12-02", **access}, retries=False)
        assert found.status in (201, 409), found.data

    def put(self, container: str, name: str, content: bytes) -> None:
        headers = {"x-ms-blob-type": "BlockBlob", **_md5(hashlib.md5(content).digest())}
        self._change(f"{container}/{quote(name)}?", content, headers)

    def say_md5(self, container: str, name: str, md5: bytes) -> None:
        """What an uploader says later of the content; nobody checks it."""
        headers = {"x-ms-blob-content-type": "application/octet-stream", **_md5(md5)}
        self._change(f"{container}/{quote(name)}?comp=properties&", b"", headers)

    def _change(self, what: str, content: bytes, headers: Mapping[str, str]) -> None:
        _sent("PUT", f"{self.url}/{what}{self.signature()}", content, {"x-ms-version": "2021-12-02", **headers})

    def signature(self, permissions: str = "rwlc") -> str:
        """An account's shared access signature, for a year that the tests don't live to see."""
        given = {"sv": "2021-12-02", "ss": "b", "srt": "sco", "sp": permissions, "se": "2099-01-01T00:00:00Z"}
        words = [ACCOUNT, given["sp"], given["ss"], given["srt"], "", given["se"], "", "", given["sv"], "", ""]
        signed = hmac.digest(base64.b64decode(KEY), "\n".join(words).encode(), "sha256")
        return urlencode(given | {"sig": base64.b64encode(signed).decode()})


def _md5(digest: bytes) -> dict[str, str]:
    return {"x-ms-blob-content-md5": base64.b64encode(digest).decode()}


@contextmanager
def azure_server() -> Iterator[AzureServer]:
    node = shutil.which("node")
    if node is None or not AZURITE.exists():
        pytest.skip("Azurite is not installed (it needs npm): sh scripts/emulators.sh")
    options = ("--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry")
    with _process(node, AZURITE, *options) as lines:
        line = next(one for one in lines if "successfully listens on" in one)
        yield AzureServer(f"{line.rpartition(' ')[2].strip()}/{ACCOUNT}")
