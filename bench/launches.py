"""How each server is started on a model: the ordinary way of its own documents, one process for the model."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import models
from bench.models import Kind
from bench.servers import Launch, Ports, free_ports

OURS = "inferplane"
_SCRIPTS = Path(__file__).with_name("peer")
_ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def inferplane(python: Path, kind: Kind, model: Path, work: Path) -> Launch:
    ports = free_ports()
    flags = (
        f"--model_name={kind.name}",
        f"--model_dir={model.parent}",
        "--host=127.0.0.1",
        f"--http_port={ports.http}",
        f"--grpc_port={ports.grpc}",
    )
    return Launch((str(python), "-m", "inferplane.assembly.model_server", *flags), _ONE_THREAD, ports)


def kserve(python: Path, kind: Kind, model: Path, work: Path) -> Launch:
    ports = free_ports()
    script = str(_SCRIPTS / "kserve_server.py")
    return Launch((str(python), script, kind.name, str(model), str(ports.http), str(ports.grpc)), _ONE_THREAD, ports)


def mosec(python: Path, kind: Kind, model: Path, work: Path) -> Launch:
    ports = free_ports()
    command = (str(python), str(_SCRIPTS / "mosec_server.py"), "--address", "127.0.0.1", "--port", str(ports.http))
    return Launch(command, {**_ONE_THREAD, "MODEL_FILE": str(model)}, ports)


def mlserver(python: Path, kind: Kind, model: Path, work: Path) -> Launch:
    method = {"extra": {"predict_fn": "transform"}} if kind is models.PICTURE else {}
    return mlserver_of(python, kind.name, "mlserver_sklearn.SKLearnModel", model, work, method)


def mlserver_of(
    python: Path,
    name: str,
    implementation: str,
    model: Path,
    work: Path,
    parameters: Mapping[str, object] | None = None,
) -> Launch:
    """In process: a pool of workers would only add hops to one model."""
    ports = free_ports()
    described = {
        "name": name,
        "implementation": implementation,
        "parameters": {"uri": str(model), **(parameters or {})},
    }
    (work / "settings.json").write_text(json.dumps(_mlserver_settings(ports)))
    (work / "model-settings.json").write_text(json.dumps(described))
    return Launch((str(python.with_name("mlserver")), "start", str(work)), _ONE_THREAD, ports)


def _mlserver_settings(ports: Ports) -> dict[str, object]:
    return {
        "debug": False,
        "host": "127.0.0.1",
        "http_port": ports.http,
        "grpc_port": ports.grpc,
        "metrics_port": ports.metrics,
        "parallel_workers": 0,
    }


def triton(python: Path, kind: Kind, model: Path, work: Path) -> Launch:
    """The server binary of nvidia-pytriton's wheel, without pytriton: its Python back end holds the model."""
    site = Path(_python(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    server = site / "pytriton" / "tritonserver"
    repository = _triton_repository(kind, model, work)
    backends = _triton_backends(python, server, work)
    ports = free_ports()
    flags = (
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--http-address=127.0.0.1",
        f"--http-port={ports.http}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={ports.grpc}",
        "--allow-metrics=false",
    )
    return Launch((str(server / "bin" / "tritonserver"), *flags), _triton_environment(python, site), ports)


def _triton_environment(python: Path, site: Path) -> dict[str, str]:
    library = _python(python, "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))")
    # The back end's process takes its packages from the first `python` on the PATH.
    path = f"{python.parent}:/usr/local/bin:/usr/bin:/bin"
    return {**_ONE_THREAD, "PATH": path, "LD_LIBRARY_PATH": f"{library}:{site / 'nvidia_pytriton.libs'}"}


def _triton_repository(kind: Kind, model: Path, work: Path) -> Path:
    version = work / "repository" / kind.name / "1"
    version.mkdir(parents=True)
    shutil.copy(model, version / models.FILE)
    shutil.copy(_SCRIPTS / "triton_model.py", version / "model.py")
    version.with_name("config.pbtxt").write_text(_triton_config(kind))
    return version.parent.parent


def _triton_config(kind: Kind) -> str:
    dims = [-1, *kind.tensor.shape[1:]]
    return f"""
name: "{kind.name}"
backend: "python"
max_batch_size: 0
input [{{ name: "input-0" data_type: TYPE_{kind.datatype} dims: {dims} }}]
output [{{ name: "output-0" data_type: TYPE_{kind.answer_datatype} dims: {list(kind.answer_shape)} }}]
instance_group [{{ count: 1 kind: KIND_CPU }}]
"""


def _triton_backends(python: Path, server: Path, work: Path) -> Path:
    """The wheel has a back end for each version of Python; the server wants one, beside its library."""
    backends = work / "backends"
    shutil.copytree(server / "backends", backends)
    version = _python(python, "import sys; print('%d.%d' % sys.version_info[:2])")
    shutil.copy(server / "python_backend_stubs" / version / "triton_python_backend_stub", backends / "python")
    return backends


def _python(python: Path, code: str) -> str:
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


LAUNCHES: Mapping[str, Callable[[Path, Kind, Path, Path], Launch]] = {
    OURS: inferplane,
    "kserve": kserve,
    "mlserver": mlserver,
    "mosec": mosec,
    "triton": triton,
}
"""By server: (its Python, the model, the model's file, an empty directory of its own) → how to start it."""
