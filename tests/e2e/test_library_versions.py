"""Models of two scikit-learn versions on one platform, from plain YAML that names neither."""

import json
import urllib.request
from pathlib import Path

import pytest
from tests.e2e.libraries import saved_with
from tests.e2e.whole import Whole, whole_platform

from inferplane.kernel.json import JsonObject

pytestmark = pytest.mark.e2e

ISVC = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: {name}
spec:
  predictor:
    model:
      modelFormat:
        name: sklearn
      storageUri: file://{path}
---
"""
SETOSA: JsonObject = {"instances": [[5.1, 3.5, 1.4, 0.2]]}


def call(platform: Whole, name: str, path: str, body: JsonObject | None = None) -> JsonObject:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(platform.gateway + path, data, {"Host": f"{name}.default.localhost"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found = json.load(answer)
    assert isinstance(found, dict)
    return found


def libraries_of(platform: Whole, name: str) -> str:
    """Where the service's process has scikit-learn from."""
    found = json.loads(
        platform.kubectl("get", "pods", "-o", "json", "-l", f"serving.kserve.io/inferenceservice={name}")
    )
    (pod,) = found["items"]
    (run,) = [*platform.home.glob(f"pods/{pod['metadata']['uid']}/containers/kserve-container/0.json")]
    maps = Path(f"/proc/{json.loads(run.read_text())['process']['pid']}/maps").read_text()
    (home,) = {line.partition("/sklearn/")[0].split()[-1] for line in maps.splitlines() if "/sklearn/" in line}
    return home


def test_a_1_4_pickle_and_a_1_6_pickle_are_served_side_by_side(tmp_path: Path) -> None:
    wanted = {"old": ("1.4.*", "numpy<2.1", "scipy<1.14"), "newer": ("1.6.*", "numpy<2.3", "scipy<1.16")}
    for name in wanted:
        (tmp_path / name).mkdir()
    versions = {name: saved_with(version, tmp_path / name, *more) for name, (version, *more) in wanted.items()}
    manifest = tmp_path / "models.yaml"
    manifest.write_text("".join(ISVC.format(name=name, path=tmp_path / name) for name in wanted))
    with whole_platform(tmp_path / "home") as platform:
        platform.kubectl("apply", "-f", str(manifest))
        ready = ("wait", "--for=condition=Ready", "--timeout=170s", "isvc/old", "isvc/newer")
        platform.run("kubectl", *ready, timeout=180)
        for name, version in versions.items():
            packages = Path(libraries_of(platform, name))
            assert packages.is_relative_to(platform.home / "environments")
            assert (packages / f"scikit_learn-{version}.dist-info").is_dir()
            assert call(platform, name, f"/v1/models/{name}:predict", SETOSA) == {"predictions": [0]}
