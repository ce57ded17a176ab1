"""The same model through InferenceServices from a file, a web server, S3, Azure and GCS, on one platform.

The servers are real ones, each a process (tests/emulators). What goes wrong with them is said in the service's status.
"""

import asyncio
import http.server
import io
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import urllib3
import yaml
from tests.e2e.whole import EXAMPLE, INFERPLANE, Whole, eventually, whole_platform
from tests.emulators.running import ACCOUNT, azure_server, gcs_server, s3_server

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.http import HttpApi
from inferplane.client.kubernetes.kubeconfig import read_kubeconfig
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

pytestmark = pytest.mark.e2e

ROWS = '{"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}'
PATIENCE = 90.0
BUCKET = "models"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="module")
def model(platform: Whole, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model's directory; it has one file."""
    directory = tmp_path_factory.mktemp("iris")
    platform.run(sys.executable, EXAMPLE / "train.py", "--out", directory)
    return directory


def isvc(name: str, uri: str, **predictor: Json) -> JsonObject:
    model: JsonObject = {"modelFormat": {"name": "sklearn"}, "storageUri": uri}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {"model": model, **predictor}},
    }


def secret(name: str, data: dict[str, str], annotations: dict[str, str] | None = None) -> list[JsonObject]:
    """A Secret, and a ServiceAccount of the same name that lists it."""
    said: JsonObject = {f"serving.kserve.io/{key}": value for key, value in (annotations or {}).items()}
    texts: JsonObject = {**data}
    meta: JsonObject = {"name": name, "annotations": said}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": texts},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}, "secrets": [{"name": name}]},
    ]


def applied(platform: Whole, *objects: JsonObject) -> None:
    platform.run(INFERPLANE, "apply", "--no-wait", "-f", "-", stdin=yaml.safe_dump_all(objects))


def listed(platform: Whole, resource: Resource) -> list[JsonObject]:
    """Of the namespace `default`."""

    async def ask() -> list[JsonObject]:
        async with HttpApi(read_kubeconfig(platform.home / "kubeconfig")) as api:
            return (await api.list(resource, "default")).items

    return asyncio.run(ask())


def status(platform: Whole, name: str) -> JsonObject:
    services = listed(platform, kinds.INFERENCE_SERVICE)
    return next((object_at(one, "status") for one in services if text_at(one, "metadata", "name") == name), {})


def predicted(platform: Whole, name: str) -> Json:
    """What the service answers, once it is ready."""

    def ready() -> bool:
        return any(
            isinstance(one, dict) and (one["type"], one["status"]) == ("Ready", "True")
            for one in list_at(status(platform, name), "conditions")
        )

    eventually(ready, PATIENCE)
    url = f"{platform.gateway}/serving/default/{name}/v1/models/{name}:predict"
    found: JsonObject = urllib3.request("POST", url, body=ROWS, timeout=PATIENCE).json()
    return found["predictions"]


def failure(platform: Whole, name: str) -> str:
    """What modelStatus says went wrong."""

    def said() -> str:
        return text_at(status(platform, name), "modelStatus", "lastFailureInfo", "message")

    return eventually(said, PATIENCE)[0]


@contextmanager
def web_server(directory: Path) -> Iterator[str]:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def packed(directory: Path) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for file in directory.iterdir():
            archive.add(file, file.name)
    return made.getvalue()


def test_a_file(platform: Whole, model: Path) -> None:
    applied(platform, isvc("from-file", f"file://{model}"))
    assert predicted(platform, "from-file") == [1, 1]


def test_an_archive_of_a_web_server(platform: Whole, model: Path, tmp_path: Path) -> None:
    (tmp_path / "iris.tgz").write_bytes(packed(model))
    with web_server(tmp_path) as url:
        applied(platform, isvc("from-http", f"{url}/iris.tgz"))
        assert predicted(platform, "from-http") == [1, 1]


def test_s3(platform: Whole, model: Path) -> None:
    with s3_server() as server:
        server.put(BUCKET, "iris/model.joblib", (model / "model.joblib").read_bytes())
        endpoint = {"s3-endpoint": server.url, "s3-region": "us-east-1"}
        keys = secret("s3", {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "hidden-key"}, endpoint)
        applied(platform, *keys, isvc("from-s3", f"s3://{BUCKET}/iris", serviceAccountName="s3"))
        assert predicted(platform, "from-s3") == [1, 1]
        written = [str(listed(platform, kind)) for kind in (kinds.DEPLOYMENT, kinds.POD, kinds.EVENT)]
        assert not [text for text in written if "hidden-key" in text]

        applied(platform, isvc("nothing-there", f"s3://{BUCKET}/iriss", serviceAccountName="s3"))
        assert f"No model found in s3://{BUCKET}/iriss" in failure(platform, "nothing-there")


def test_azure(platform: Whole, model: Path) -> None:
    with azure_server() as server:
        server.container(BUCKET)
        server.put(BUCKET, "iris/model.joblib", (model / "model.joblib").read_bytes())
        uri = f"https://{ACCOUNT}.blob.core.windows.net/{BUCKET}/iris"
        applied(platform, *secret("azure", server.environ), isvc("from-azure", uri, serviceAccountName="azure"))
        assert predicted(platform, "from-azure") == [1, 1]

        wrong = secret("wrong", server.environ | {"AZURE_STORAGE_ACCESS_KEY": "d3JvbmctYnV0LWhpZGRlbg=="})
        applied(platform, *wrong, isvc("wrong-key", f"{uri}/model.joblib", serviceAccountName="wrong"))
        words = failure(platform, "wrong-key")
        assert "the credentials are not valid" in words
        assert "d3JvbmctYnV0LWhpZGRlbg" not in words


def test_gcs(platform: Whole, model: Path) -> None:
    with gcs_server() as server:
        server.put(BUCKET, "iris/model.joblib", (model / "model.joblib").read_bytes())
        env: list[Json] = [{"name": name, "value": value} for name, value in server.environ.items()]
        container: JsonObject = {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ClusterStorageContainer",
            "metadata": {"name": "gcs-emulator"},
            "spec": {
                "container": {"name": "storage-initializer", "image": "kserve/storage-initializer", "env": env},
                "supportedUriFormats": [{"prefix": "gs://"}],
            },
        }
        service = isvc("from-gcs", f"gs://{BUCKET}/iris", storageContainerName="gcs-emulator")
        applied(platform, container, service)
        assert predicted(platform, "from-gcs") == [1, 1]


def test_what_was_fetched_is_on_this_machine_once(platform: Whole, model: Path) -> None:
    applied(platform, isvc("from-file-too", f"file://{model}/model.joblib"))
    assert predicted(platform, "from-file-too") == [1, 1]
    blobs = [one for one in (platform.home / "cache" / "models" / "blobs").glob("*/*") if one.is_file()]
    assert len(blobs) == 1  # archive, S3, Azure and GCS had the same file
    assert blobs[0].read_bytes() == (model / "model.joblib").read_bytes()
