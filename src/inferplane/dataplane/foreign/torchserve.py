"""TorchServe in a pod: started from its package as a child, watched until its models are loaded, asked as a predictor.

TorchServe has paths of KServe's protocols (`/v1/models/NAME:predict`, `/v2/models/NAME/infer`), and hands a model's
handler what came there, unpacked by the envelope that the service asks for; lists of models, readiness, metadata and
gRPC it does not have in that form. So our own server stands before it, as KServe's wrapper does in KServe's image, and
asks it as a transformer asks its predictor.
"""

import http.client
import json
import re
import shutil
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inferplane.dataplane.foreign import torchserve_config
from inferplane.dataplane.foreign.java import java_home, java_version
from inferplane.dataplane.foreign.process import Foreign
from inferplane.dataplane.foreign.torchserve_config import Plan
from inferplane.dataplane.model.model import Model
from inferplane.dataplane.model.predictor import PredictorConfig, PredictorProtocol
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import InferRequest
from inferplane.kernel.errors import InferplaneError

LOGS = "logs"
_DIED = "Backend worker process died."
_MOST_DEATHS = 2
"""TorchServe starts a worker that died again, for ever; one that dies as often while it loads its model will not."""
_LOOK_EVERY = 0.2
_GRACE = 2.0
_ERROR = re.compile(r"MODEL_LOG - ((?:[A-Za-z_][\w.]*)?(?:Error|Exception|Exit|Interrupt)\b.*)")
_NOT_OURS = ("TS_CONFIG_FILE", "TS_INFERENCE_ADDRESS", "TS_MANAGEMENT_ADDRESS", "TS_METRICS_ADDRESS", "TS_MODEL_STORE")
"""Variables that TorchServe would follow before the file, if the file says that it may."""


class TorchServeFailed(InferplaneError):
    """It did not start, a model did not load, or it has ended; with what its log says."""


class TorchServe:
    """One server. `directory` is for what it writes; short, since sockets are below it."""

    def __init__(self, plan: Plan, options: Sequence[str], environ: Mapping[str, str], directory: Path) -> None:
        self.plan = plan
        self._directory = directory
        config = directory / "config.properties"
        config.write_text(plan.text)
        command = [sys.executable, "-m", "ts.model_server", "--start", "--foreground", "--ncs", "--disable-token-auth"]
        command += [f"--ts-config={config}", *options]
        self._server = Foreign(command, _variables(environ, directory), directory)

    def wait(self) -> None:
        """Returns when all models are loaded. Raises TorchServeFailed."""
        waiting = {one.name for one in self.plan.models}
        while waiting:
            self._check(waiting)
            waiting -= {name for name in waiting if self._is_loaded(name)}
            time.sleep(_LOOK_EVERY)

    async def watch(self) -> None:
        """Raises TorchServeFailed when it ends."""
        code = await self._server.ended()
        raise TorchServeFailed(f"TorchServe ended by itself with exit code {code}{self._said()}")

    def stop(self) -> None:
        """When all requests are answered: Java takes its time to end, and has nothing left to do."""
        self._server.stop(grace=_GRACE)

    def _check(self, waiting: set[str]) -> None:
        if (code := self._server.code()) is not None:
            raise TorchServeFailed(f"TorchServe ended with exit code {code} before it was ready{self._said()}")
        log = self._log("model_log.log")
        if log.count(_DIED) >= _MOST_DEATHS:
            models = ", ".join(sorted(waiting))
            raise TorchServeFailed(f"TorchServe cannot load {models}: its worker died: {cause(log) or 'see the log'}")

    def _is_loaded(self, name: str) -> bool:
        """Whether a worker has it."""
        connection = http.client.HTTPConnection(self.plan.management, timeout=10)
        try:
            connection.request("GET", f"/models/{name}")
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return False  # not there yet; one that has ended is seen otherwise
        finally:
            connection.close()
        return answer.status == http.client.OK and _has_worker(json.loads(body))

    def _said(self) -> str:
        lines = [line for line in self._log("ts_log.log").splitlines() if "ERROR" in line or "Exception" in line]
        return f": {lines[-1].strip()}" if lines else ""

    def _log(self, name: str) -> str:
        file = self._directory / LOGS / name
        return file.read_text(errors="replace") if file.is_file() else ""


def cause(log: str) -> str:
    """The first error of the last worker that died."""
    found = _ERROR.search(log, log.rfind(_DIED) + len(_DIED))
    return found[1].strip() if found is not None else ""


class TorchServeModel(Model):
    """One of its models."""

    def __init__(self, name: str, server: TorchServe, timeout: float, *, watching: bool) -> None:
        super().__init__(name)
        self.ready = True
        self.engine = watching
        self.explainer_host = server.plan.inference
        self._server = server
        self._is_v2 = server.plan.is_v2
        wire = PredictorProtocol.REST_V2 if self._is_v2 else PredictorProtocol.REST_V1
        self._config = PredictorConfig(
            server.plan.inference,
            wire.value,
            predictor_request_timeout_seconds=timeout,
            predictor_binary_tensors=False,
        )

    @property
    def predictor_config(self) -> PredictorConfig:
        return self._config

    def preprocess(self, payload: Any, headers: Mapping[str, str] | None = None) -> Any:
        if isinstance(payload, InferRequest) is not self._is_v2:
            asked, takes = ("v1", "v2") if self._is_v2 else ("v2", "v1")
            raise InvalidInput(
                f"the request is of protocol {asked}, and this TorchServe was started for {takes} "
                f"({torchserve_config.ENVELOPE}={self._server.plan.envelope})",
                fix=f"set protocolVersion: {asked} in the InferenceService, or ask by {takes}",
            )
        return payload

    async def start_engine(self) -> None:
        """Beside the running server: ends it when TorchServe ends."""
        await self._server.watch()


def _has_worker(described: object) -> bool:
    """`[{"workers": [{"status": "READY"}]}]`, the default version first."""
    if not isinstance(described, list):
        return False
    workers = [worker for version in described[:1] for worker in version.get("workers", [])]
    return any(worker.get("status") == "READY" for worker in workers)


def _variables(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name not in _NOT_OURS}
    # Its file of the running process, sockets of workers and unpacked models, by whoever makes them.
    places = dict.fromkeys(("TMPDIR", "TEMP"), str(directory))
    logs = dict.fromkeys(("LOG_LOCATION", "METRICS_LOCATION"), str(directory / LOGS))
    return kept | places | logs | {"JAVA_HOME": str(java_home(environ))}


def planned(config: Path, store: Path, environ: Mapping[str, str], host: str, taken: Sequence[int]) -> Plan:
    """Reads what is in the model directory. Raises BadConfig, NoJava, TorchServeFailed."""
    for what, path, is_there in (("model store", store, store.is_dir()), ("configuration", config, config.is_file())):
        if not is_there:
            above = path.parent if path.parent.is_dir() else path.parent.parent
            found = ", ".join(sorted(str(one.relative_to(above)) for one in above.glob("*"))) or "nothing"
            raise TorchServeFailed(
                f"{path}: TorchServe's {what} is not there; {above} has {found}",
                fix="a model directory for TorchServe has model-store/NAME.mar and config/config.properties",
            )
    made = torchserve_config.plan(
        config.read_text(),
        environ,
        host=host,
        taken=taken,
        store=str(store),
        archives=[one.name for one in store.iterdir()],
        java=java_version(java_home(environ)),
    )
    for one in made.models:
        if why := _no_archive(store / one.archive):
            raise TorchServeFailed(f"{store / one.archive}: {why}", fix="make it with torch-model-archiver")
    return made


_MANIFEST = "MAR-INF/MANIFEST.json"


def _no_archive(path: Path) -> str:
    """Why TorchServe could not read it; TorchServe itself tells of a module of a strange name."""
    if path.is_dir():
        return "" if (path / _MANIFEST).is_file() else f"no {_MANIFEST} in the directory"
    if not path.is_file() or tarfile.is_tarfile(path):
        return ""  # from elsewhere, or to be unpacked whole
    if not zipfile.is_zipfile(path):
        return f"not an archive of TorchServe's: {path.stat().st_size} bytes that are neither zip nor tar, or cut off"
    with zipfile.ZipFile(path) as archive:
        return "" if _MANIFEST in archive.namelist() else f"not an archive of TorchServe's: no {_MANIFEST} in it"


class Workplace:
    """A directory that goes with the block."""

    def __enter__(self) -> Path:
        self._path = Path(tempfile.mkdtemp(prefix="ts-"))
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
