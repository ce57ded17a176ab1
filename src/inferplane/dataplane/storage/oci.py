"""A model in an image of a registry: `oci://REGISTRY/REPOSITORY[:TAG|@DIGEST]`; of its files those below `models/`.

The distribution API: manifest (of this machine's architecture), then layers, each checked by the digest that it is
named by. The docker configuration in KSERVE_OCI_DOCKER_CONFIG gives user and password of a registry; else the caller
is anonymous.
"""

import base64
import json
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

from inferplane.dataplane.storage.errors import StorageError, empty, shown, unauthenticated
from inferplane.dataplane.storage.remote import Digest, Entry
from inferplane.dataplane.storage.settings import is_true, trust
from inferplane.dataplane.storage.web import About, Web, range_header
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_CONFIG = "/mnt/oci-fetch-auth/config.json"
_DOCKER_HUB = "registry-1.docker.io"
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Image:
    ranges = True

    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        self._uri = uri
        self._registry, self._repository, self._reference = reference(uri)
        self._login = _login(environ, self._registry)
        who = f"user {self._login[0]} of {self._registry}" if self._login else "an anonymous caller"
        self._web = Web(About(uri, who), environ, trust(environ))
        scheme = "http" if is_true(environ, "KSERVE_OCI_INSECURE_REGISTRY") else "https"
        self._base = f"{scheme}://{self._registry}/v2/{self._repository}"
        self._token = ""

    @property
    def name(self) -> str:
        return f"oci://{self._registry}/{self._repository}"

    def entries(self) -> list[Entry]:
        manifest = self._manifest(self._reference)
        if list_at(manifest, "manifests"):
            manifest = self._manifest(_for_this_machine(self._uri, manifest))
        layers = [one for one in list_at(manifest, "layers") if isinstance(one, dict)]
        packed = [one for one in layers if "tar" in text_at(one, "mediaType")]
        if zstd := [one for one in packed if "zstd" in text_at(one, "mediaType")]:
            raise StorageError(
                f"{self._uri}: {len(zstd)} layers are packed with zstd: expected gzip or plain tar",
                fix="build the image with gzip layers",
            )
        if not packed:
            raise empty(self._uri)
        return [_entry(index, one) for index, one in enumerate(packed)]

    def _manifest(self, which: str) -> JsonObject:
        accept = {"Accept": ", ".join((*_MANIFESTS, *_INDEXES))}
        found: Json = json.loads(b"".join(self._chunks(f"{self._base}/manifests/{which}", accept)))
        return found if isinstance(found, dict) else {}

    def digest(self, entry: Entry) -> Digest | None:
        return entry.digest

    def read(self, entry: Entry, start: int, stop: int | None) -> Iterator[bytes]:
        return self._chunks(f"{self._base}/blobs/{entry.key}", range_header(start, stop))

    def _chunks(self, url: str, headers: Mapping[str, str]) -> Iterator[bytes]:
        """As `Web.chunks`; the first refusal names where a token is to be had."""
        if not self._token:
            with self._web.answer(url, {**headers, "Range": "bytes=0-0"}, accepted=(401, 416)) as found:
                challenge = found.headers.get("WWW-Authenticate", "") if found.status == 401 else ""
            self._token = self._authorization(challenge)
        authorized = {**headers, "Authorization": self._token} if self._token != "none" else headers
        yield from self._web.chunks(url, authorized, {})

    def _authorization(self, challenge: str) -> str:
        """The value of the header `Authorization`, or `none`."""
        basic = f"Basic {base64.b64encode(':'.join(self._login).encode()).decode()}" if self._login else ""
        kind = challenge.partition(" ")[0].lower()
        if kind != "bearer":
            return basic if kind == "basic" and basic else "none"
        given = dict(_PARAMETER.findall(challenge))
        asked = {key: given[key] for key in ("service", "scope") if key in given}
        asked.setdefault("scope", f"repository:{self._repository}:pull")
        url = f"{given.get('realm', '')}?{urlencode(asked)}"
        answer: JsonObject = json.loads(self._web.body(url, {"Authorization": basic} if basic else {}))
        token = text_at(answer, "token") or text_at(answer, "access_token")
        if not token:
            raise unauthenticated(self._uri, identity=self._web.about.identity, said="the registry gave no token")
        return f"Bearer {token}"


def reference(uri: str) -> tuple[str, str, str]:
    """Registry, repository, tag or digest. A first part without a dot or a port is a repository of Docker Hub."""
    name = uri.partition("://")[2]
    name, at, digest = name.partition("@")
    head, slash, rest = name.partition("/")
    if not slash or not ("." in head or ":" in head or head == "localhost"):
        head, rest = _DOCKER_HUB, name if slash else f"library/{name}"
    repository, _, tag = rest.partition(":")
    if not repository:
        raise StorageError(f"{shown(uri)}: expected oci://REGISTRY/REPOSITORY[:TAG|@DIGEST]")
    return head, repository, digest if at else tag or "latest"


def _for_this_machine(uri: str, index: JsonObject) -> str:
    wanted = _ARCHITECTURES.get(platform.machine(), platform.machine())
    have = []
    for one in list_at(index, "manifests"):
        found = object_at(one, "platform") if isinstance(one, dict) else {}
        if isinstance(one, dict) and (text_at(found, "os"), text_at(found, "architecture")) == ("linux", wanted):
            return text_at(one, "digest")
        have.append(f"{text_at(found, 'os')}/{text_at(found, 'architecture')}")
    raise StorageError(f"{uri}: the image is not made for linux/{wanted}: it is for {', '.join(have)}")


def _entry(index: int, layer: JsonObject) -> Entry:
    digest = text_at(layer, "digest")
    algorithm, _, value = digest.partition(":")
    said = Digest("sha256", value) if algorithm == "sha256" else None
    return Entry(f"layer-{index}.tar", digest, number_at(layer, "size"), digest, said, archive="tar", within="models")


def _login(environ: Mapping[str, str], registry: str) -> tuple[str, str] | None:
    """User and password for the registry."""
    file = Path(environ.get("KSERVE_OCI_DOCKER_CONFIG") or _CONFIG)
    if not file.is_file():
        return None
    try:
        config: Json = json.loads(file.read_text())
        auths = object_at(config, "auths") if isinstance(config, dict) else {}
        names = {key.removeprefix("https://").removeprefix("http://").partition("/")[0]: key for key in auths}
        found = object_at(auths, names.get(registry, registry))
        decoded = base64.b64decode(text_at(found, "auth")).decode()
    except ValueError:
        raise StorageError(
            f"the docker configuration {file.name} cannot be read: expected JSON with auths", fix="correct the Secret"
        ) from None
    user, _, password = decoded.partition(":")
    user, password = user or text_at(found, "username"), password or text_at(found, "password")
    return (user, password) if user else None
