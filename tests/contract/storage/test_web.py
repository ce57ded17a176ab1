"""Files of web servers, the Hub, WebHDFS, registries and git: what is asked, what is made of the answers."""

import base64
import hashlib
import json
import platform
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.contract.storage.servers import Answer, Asked, Web, file, web
from tests.unit.dataplane.storage.stores import tar
from tests.unit.dataplane.storage.test_cache import tree

from inferplane.dataplane.storage import transfer
from inferplane.dataplane.storage.cache import Cache
from inferplane.dataplane.storage.errors import Refused, StorageError
from inferplane.dataplane.storage.fetch import Fetcher
from inferplane.dataplane.storage.transfer import Effort, Meter
from inferplane.kernel.json import Json

CONTENT = bytes(range(256)) * 40


def fetched(
    root: Path, uri: str, environ: Mapping[str, str] | None = None, *, meter: Meter | None = None, pod: str = "pod"
) -> dict[str, bytes]:
    effort = Effort(tries=3, sleep=lambda _: None)
    fetcher = Fetcher(Cache(root / "cache", 1 << 30), environ or {}, effort, meter=meter or Meter())
    return tree(fetcher.fetch(uri, root / pod))


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_fetched_by_its_name_and_then_known_by_its_etag(tmp_path: Path) -> None:
    etag = ['"one"']
    meter = Meter()
    with web(lambda asked: file(asked, CONTENT, ETag=etag[0])) as server:
        for pod in ("a", "b"):
            assert fetched(tmp_path, f"{server.url}/m/model.joblib", meter=meter, pod=pod) == {"model.joblib": CONTENT}
        assert meter.done == len(CONTENT)
        etag[0] = '"two"'
        fetched(tmp_path, f"{server.url}/m/model.joblib", meter=meter, pod="c")
    assert meter.done == 2 * len(CONTENT)


@pytest.mark.parametrize(
    ("headers", "reads"),
    [
        ({}, 2),
        ({"Last_Modified": "Mon, 23 Nov 2026 10:00:00 GMT", "Date": "Mon, 23 Nov 2026 10:00:01 GMT"}, 2),
        ({"Last_Modified": "Mon, 23 Nov 2026 10:00:00 GMT", "Date": "Mon, 23 Nov 2026 10:00:09 GMT"}, 1),
        ({"ETag": 'W/"weak"'}, 1),
    ],
)
def test_only_what_changes_with_the_content_is_trusted(tmp_path: Path, headers: dict[str, str], reads: int) -> None:
    meter = Meter()
    with web(lambda asked: file(asked, CONTENT, cut=-1, **headers)) as server:
        for pod in ("a", "b"):
            fetched(tmp_path, f"{server.url}/model.joblib", meter=meter, pod=pod)
    assert meter.done == reads * len(CONTENT)


def test_a_cut_connection_is_gone_on_with_where_it_broke(tmp_path: Path) -> None:
    cuts = [4000, 3000, -1]

    def answer(asked: Asked) -> Answer:
        probe = asked.range == "bytes=0-0"
        return file(asked, CONTENT, cut=-1 if probe else cuts.pop(0), ETag='"1"')

    with web(answer) as server:
        assert fetched(tmp_path, f"{server.url}/model.joblib") == {"model.joblib": CONTENT}
    assert [asked.range for asked in server.asked] == [
        "bytes=0-0",
        "bytes=0-10239",
        "bytes=4000-10239",
        "bytes=7000-10239",
    ]


def test_a_server_without_ranges_is_read_from_the_start(tmp_path: Path) -> None:
    cuts = [-1, 100, -1]
    plain = {"Content-Type": "application/octet-stream", "ETag": '"1"'}
    with web(lambda asked: Answer(CONTENT, 200, plain, cuts.pop(0))) as server:
        assert fetched(tmp_path, f"{server.url}/model.joblib") == {"model.joblib": CONTENT}
    assert len(server.asked) == 3


def test_an_object_that_is_replaced_meanwhile_is_fetched_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "PART", 8000)
    versions = [b"a", b"a", b"b", b"b", b"b", b"b", b"b"]

    def answer(asked: Asked) -> Answer:
        version = versions.pop(0)
        return file(asked, version * 10000, ETag=f'"{version.decode()}"')

    with web(answer) as server:
        found = fetched(tmp_path, f"{server.url}/model.joblib", {"S3_MAX_FILE_CONCURRENCY": "1"})
    assert set(found["model.joblib"]) == {ord("b")}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("m.tgz", "application/x-gzip"),
        ("m.tar.gz", "application/gzip"),
        ("m.tar", "application/x-tar"),
        ("m.tar", "application/x-gtar"),
        ("m.tgz", "application/octet-stream"),
        ("download?file=m.tgz", "application/x-tar"),
        ("m", "application/x-tar"),
    ],
)
def test_archives_are_known_by_name_or_content_type(tmp_path: Path, path: str, kind: str) -> None:
    packed = tar({"model.joblib": b"w"}, mode="w" if path == "m.tar" else "w:gz")
    with web(lambda asked: file(asked, packed, Content_Type=kind)) as server:
        assert fetched(tmp_path, f"{server.url}/{path}") == {"model.joblib": b"w"}


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("m.tgz", "application/zip", "did not respond with a content type of a tar file.*got application/zip"),
        ("m.zip", "application/x-tar", "did not respond with a content type of a zip file"),
        ("m.tgz", "text/html", "did not respond with a content type of a tar file.*got text/html"),
        ("model.joblib", "text/html; charset=utf-8", "got a page, text/html"),
        ("models/", "application/octet-stream", "No filename contained in URI"),
    ],
)
def test_what_is_not_what_its_name_says_is_refused(tmp_path: Path, path: str, kind: str, words: str) -> None:
    with web(lambda asked: file(asked, b"x", Content_Type=kind)) as server, pytest.raises(StorageError, match=words):
        fetched(tmp_path, f"{server.url}/{path}")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "the credentials are not valid"),
        (403, "access denied to an anonymous caller: go away"),
        (404, "no such object"),
        (500, "expected HTTP status 200 from http://127.0.0.1.*, got 500 go away"),
    ],
)
def test_refusals_are_said_in_words(tmp_path: Path, status: int, words: str) -> None:
    with web(lambda asked: Answer(b"go away", status)) as server, pytest.raises(StorageError, match=words) as caught:
        fetched(tmp_path, f"{server.url}/model.joblib?token=hidden")
    assert "hidden" not in str(caught.value)


def test_headers_of_a_host_come_from_its_variable(tmp_path: Path) -> None:
    environ = {"127.0.0.1-headers": '{"Authorization": "Bearer hidden"}'}
    with web(lambda asked: file(asked, b"x") if asked.headers.get("authorization") else Answer(b"", 401)) as server:
        assert fetched(tmp_path, f"{server.url}/model.joblib", environ) == {"model.joblib": b"x"}
        with pytest.raises(Refused, match="an anonymous caller"):
            fetched(tmp_path, f"{server.url}/model.joblib")


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    empty = {"Content-Type": "application/octet-stream"}
    with web(lambda asked: Answer(b"", 416 if asked.range else 200, empty)) as server:
        assert fetched(tmp_path, f"{server.url}/empty.txt") == {"empty.txt": b""}


# --- the Hub ----------------------------------------------------------------------------------------------------------


class Hub:
    """A Hub with one model: a small file by its git hash, a large one by its SHA-256, in two pages."""

    large, small = CONTENT, b'{"architectures": []}'

    def __init__(self, *, token: str = "", damaged: bool = False) -> None:
        self.token = token
        self.damaged = damaged

    def __call__(self, asked: Asked) -> Answer | None:
        if self.token and asked.headers.get("authorization") != f"Bearer {self.token}":
            return Answer(b'{"error": "Repository not found"}', 401)
        match asked.path.split("/"):
            case ["", "api", "models", "acme", "iris", "revision", "main"]:
                return self.json({"sha": "c0ffee"})
            case ["", "api", "models", "acme", "iris", "tree", "c0ffee"] if "cursor" not in asked.query:
                following = f"http://{asked.headers['host']}{asked.path}?cursor=2"
                return self.json(self.page("config.json", self.small), Link=f'<{following}>; rel="next"')
            case ["", "api", "models", "acme", "iris", "tree", "c0ffee"]:
                sha256 = hashlib.sha256(self.large).hexdigest()
                item: dict[str, Json] = {"type": "file", "path": "weights/model.bin", "size": len(self.large)}
                return self.json(
                    [{"type": "directory", "path": "weights"}, item | {"lfs": {"oid": sha256, "size": len(self.large)}}]
                )
            case ["", "acme", "iris", "resolve", "c0ffee", "config.json"]:
                return file(asked, self.small)
            case ["", "acme", "iris", "resolve", "c0ffee", "weights", "model.bin"]:
                return Answer(b"", 302, {"Location": "/cdn/model.bin"})
            case ["", "cdn", "model.bin"]:
                return file(asked, bytes(len(self.large)) if self.damaged else self.large)
        return None

    def page(self, path: str, content: bytes) -> Json:
        oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return [{"type": "file", "path": path, "size": len(content), "oid": oid}]

    def json(self, value: Json, **headers: str) -> Answer:
        return Answer(json.dumps(value).encode(), 200, {"Content-Type": "application/json", **headers})


def test_a_model_of_the_hub_comes_whole_and_checked(tmp_path: Path) -> None:
    with web(Hub()) as server:
        found = fetched(tmp_path, "hf://acme/iris", {"HF_ENDPOINT": server.url})
    assert found == {"config.json": Hub.small, "weights/model.bin": Hub.large}


def test_a_damaged_file_of_the_hub_is_refused(tmp_path: Path) -> None:
    with web(Hub(damaged=True)) as server, pytest.raises(StorageError, match=r"model\.bin: corrupt: expected sha256"):
        fetched(tmp_path, "hf://acme/iris", {"HF_ENDPOINT": server.url})


def test_the_hubs_token_is_sent_and_its_lack_is_said(tmp_path: Path) -> None:
    with web(Hub(token="hf_hidden")) as server:
        environ = {"HF_ENDPOINT": server.url}
        fetched(tmp_path, "hf://acme/iris", environ | {"HF_TOKEN": "hf_hidden"})
        with pytest.raises(Refused, match="a caller without HF_TOKEN"):
            fetched(tmp_path, "hf://acme/iris", environ, pod="b")


# --- WebHDFS ----------------------------------------------------------------------------------------------------------

FILES = {"iris/model.joblib": b"w" * 100, "iris/conf/a.json": b"{}"}


def hdfs(asked: Asked) -> Answer | None:
    """A name node over FILES, below /models."""
    path = asked.path.removeprefix("/webhdfs/v1/models").strip("/")
    if asked.query.get("op") == "OPEN" and path in FILES:
        start = int(asked.query.get("offset", 0))
        return Answer(FILES[path][start : start + int(asked.query.get("length", 10**6))])
    below = sorted({one.removeprefix(f"{path}/").partition("/")[0] for one in FILES if one.startswith(f"{path}/")})
    if not below:
        return Answer(b'{"RemoteException": {"message": "File does not exist"}}', 404)
    statuses: list[Json] = [_status(f"{path}/{name}", name) for name in below]
    return Answer(json.dumps({"FileStatuses": {"FileStatus": statuses}}).encode())


def _status(path: str, name: str) -> Json:
    if path in FILES:
        return {"pathSuffix": name, "type": "FILE", "length": len(FILES[path]), "modificationTime": 1, "fileId": 7}
    return {"pathSuffix": name, "type": "DIRECTORY", "length": 0, "modificationTime": 1}


def test_a_directory_of_hdfs_comes_from_the_name_node_that_answers(tmp_path: Path) -> None:
    standby = b'{"RemoteException": {"exception": "StandbyException", "message": "not active"}}'
    with web(lambda _: Answer(standby, 403)) as passive, web(hdfs) as active:
        config = {"type": "hdfs", "HDFS_NAMENODE": f"{passive.url},{active.url}", "HDFS_ROOTPATH": "/models",
                  "USER_PROXY": "ann"}  # fmt: skip
        found = fetched(tmp_path, "hdfs://iris", {"STORAGE_CONFIG": json.dumps(config)})
        assert {asked.query["user.name"] for asked in active.asked} == {"ann"}
    assert found == {"model.joblib": b"w" * 100, "conf/a.json": b"{}"}


def test_hdfs_is_configured_by_files_of_a_secret(tmp_path: Path) -> None:
    directory = tmp_path / "home" / "var" / "secrets" / "kserve-hdfscreds"
    directory.mkdir(parents=True)
    with web(hdfs) as server:
        (directory / "HDFS_NAMENODE").write_text(f"{server.url}\n")
        (directory / "HDFS_ROOTPATH").write_text("/models")
        found = fetched(tmp_path, "webhdfs://iris/conf", {"HOME": str(tmp_path / "home")})
    assert found == {"a.json": b"{}"}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "no name node: expected HDFS_NAMENODE"),
        ({"HDFS_NAMENODE": "http://nn", "KERBEROS_PRINCIPAL": "me"}, "Kerberos is not supported"),
    ],
)
def test_what_hdfs_lacks_is_said(tmp_path: Path, config: dict[str, str], words: str) -> None:
    with pytest.raises(StorageError, match=words):
        fetched(tmp_path, "hdfs://iris", {"STORAGE_CONFIG": json.dumps(config)})


# --- images -----------------------------------------------------------------------------------------------------------


class Registry:
    """An image of two layers for this machine, behind a token that user and password give."""

    def __init__(
        self, *layers: bytes, media: str = "application/vnd.oci.image.layer.v1.tar+gzip", arch: str = ""
    ) -> None:
        self.blobs = {f"sha256:{hashlib.sha256(one).hexdigest()}": one for one in layers}
        described: list[Json] = [
            {"mediaType": media, "digest": key, "size": len(one)} for key, one in self.blobs.items()
        ]
        self.manifest = json.dumps({"layers": described}).encode()
        architecture = arch or {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
        self.index: Json = {
            "manifests": [{"digest": "sha256:m", "platform": {"os": "linux", "architecture": architecture}}]
        }

    def __call__(self, asked: Asked) -> Answer | None:
        if asked.path == "/token":
            given = asked.headers.get("authorization", "")
            right = given == "Basic " + base64.b64encode(b"ann:hidden").decode()
            return Answer(b'{"token": "t0"}') if right else Answer(b"", 401)
        if asked.headers.get("authorization") != "Bearer t0":
            realm = (
                f'Bearer realm="http://{asked.headers["host"]}/token",service="r",scope="repository:models/iris:pull"'
            )
            return Answer(b"", 401, {"WWW-Authenticate": realm})
        match asked.path.removeprefix("/v2/models/iris/").split("/"):
            case ["manifests", "v1"]:
                return Answer(json.dumps(self.index).encode())
            case ["manifests", "sha256:m"]:
                return Answer(self.manifest)
            case ["blobs", digest] if digest in self.blobs:
                return file(asked, self.blobs[digest])
        return None


def image(tmp_path: Path, registry: Registry) -> dict[str, bytes]:
    with web(registry) as server:
        host = server.url.removeprefix("http://")
        login = {"auths": {host: {"auth": base64.b64encode(b"ann:hidden").decode()}}}
        (tmp_path / "config.json").write_text(json.dumps(login))
        environ = {"KSERVE_OCI_DOCKER_CONFIG": str(tmp_path / "config.json"), "KSERVE_OCI_INSECURE_REGISTRY": "true"}
        return fetched(tmp_path, f"oci://{host}/models/iris:v1", environ)


def test_of_an_image_the_files_below_models_come(tmp_path: Path) -> None:
    base = tar({"etc/passwd": b"root", "models/a": b"old", "models/b": b"b"})
    assert image(tmp_path, Registry(base, tar({"models/a": b"new"}))) == {"a": b"new", "b": b"b"}


@pytest.mark.parametrize(
    ("registry", "words"),
    [
        (Registry(tar({"etc/passwd": b"root"})), "no /models/ directory"),
        (Registry(tar({"models/a": b"x"}), arch="s390x"), "the image is not made for linux/.*: it is for linux/s390x"),
        (Registry(b"x", media="application/vnd.oci.image.layer.v1.tar+zstd"), "packed with zstd"),
        (Registry(tar({"models/.wh.a": b""})), "takes back files of another one"),
    ],
)
def test_images_without_a_model_for_this_machine_are_refused(tmp_path: Path, registry: Registry, words: str) -> None:
    with pytest.raises(StorageError, match=words):
        image(tmp_path, registry)


def test_a_registry_that_wants_a_login_is_named(tmp_path: Path) -> None:
    environ = {"KSERVE_OCI_DOCKER_CONFIG": "/nowhere", "KSERVE_OCI_INSECURE_REGISTRY": "true"}
    with web(Registry(tar({"models/a": b"x"}))) as server, pytest.raises(Refused, match="an anonymous caller"):
        fetched(tmp_path, f"oci://{server.url.removeprefix('http://')}/models/iris:v1", environ)


# --- git --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Bare, and ready for the plain HTTP protocol; `main` has a second commit after the tag v1."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    work, bare = tmp_path / "work", tmp_path / "served" / "iris.git"

    def git(*words: str) -> None:
        identity = [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "-c",
            "commit.gpgsign=false",
            "-c",
            "tag.gpgsign=false",
        ]
        subprocess.run(["git", *identity, *words], check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch", "main", str(work))
    for content in ("one", "two"):
        (work / "model.json").write_text(content)
        git("-C", str(work), "add", ".")
        git("-C", str(work), "commit", "--quiet", "-m", content)
        if content == "one":
            git("-C", str(work), "tag", "-a", "v1", "-m", "v1")
    git("clone", "--quiet", "--bare", str(work), str(bare))
    git("-C", str(bare), "update-server-info")
    return bare


def git_server(bare: Path, password: str = "") -> AbstractContextManager[Web]:
    """The plain protocol, which can do no shallow clones."""

    def answer(asked: Asked) -> Answer | None:
        wanted = "Basic " + base64.b64encode(f"ann:{password}".encode()).decode()
        if password and asked.headers.get("authorization") != wanted:
            return Answer(b"", 401, {"WWW-Authenticate": "Basic realm=git"})
        path = bare.parent / asked.path.lstrip("/")
        return Answer(path.read_bytes()) if path.is_file() else None

    return web(answer)


@pytest.mark.parametrize(("ref", "content"), [("", b"two"), ("#v1", b"one"), ("?ref=main", b"two")])
def test_a_repository_comes_as_it_is_at_a_commit(tmp_path: Path, repository: Path, ref: str, content: bytes) -> None:
    with git_server(repository) as server:
        uri = f"{server.url}/iris.git{ref}"
        assert fetched(tmp_path, uri) == {"model.json": content}


def test_git_gets_user_and_password_in_its_environment(tmp_path: Path, repository: Path) -> None:
    with git_server(repository, "hidden") as server:
        uri = f"{server.url}/iris.git"
        environ = {"GIT_USERNAME": "ann", "GIT_PASSWORD": "hidden"}
        assert fetched(tmp_path, uri, environ) == {"model.json": b"two"}
        with pytest.raises(Refused, match="authentication of an anonymous caller"):
            fetched(tmp_path, uri, pod="b")


def test_a_branch_that_is_not_there_is_said(tmp_path: Path, repository: Path) -> None:
    with git_server(repository) as server, pytest.raises(StorageError, match="no such branch or tag 'v9'"):
        fetched(tmp_path, f"{server.url}/iris.git#v9")
