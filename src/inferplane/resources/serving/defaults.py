"""What a new platform starts with: KServe's cluster-wide runtimes and the ConfigMap `inferenceservice-config`.

The runtimes are KServe's own, field by field, so that the same YAML runs the same command here and there; some are ours
(`inferplane-…`). Two have a readiness probe that KServe's lack: those servers open their port before they have a model.
Those behind whose image our own server runs on one machine say that its HTTP port takes gRPC too, and that it logs and
batches by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.serving.config import CONFIG_NAME, CONFIG_NAMESPACE, KNATIVE, Config, Deploy

_ARGS = ("--model_name={{.Name}}", "--model_dir=/mnt/models", "--http_port=8080")


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    version: str | None
    priority: int | None
    auto_select: bool = True


@dataclass(frozen=True, slots=True)
class _Runtime:
    name: str
    formats: Sequence[_Format]
    image: str
    protocols: Sequence[str] = ("v1", "v2")
    command: Sequence[str] = ()
    args: Sequence[str] = ()
    env: Sequence[tuple[str, str]] = ()
    metrics_port: int = 8080
    user: int | None = None
    ready_path: str = ""
    shared_memory: bool = False
    bridge: bool = False
    """Whether our own server runs behind the image: it takes gRPC calls on its HTTP port (docs/grpc.md), and needs no
    agent beside it."""
    spec: JsonObject = field(default_factory=dict)


_RUNTIMES = (
    _Runtime(
        "kserve-sklearnserver", [_Format("sklearn", "1", 1)], "kserve/sklearnserver:latest", args=_ARGS, bridge=True
    ),
    _Runtime(
        "kserve-xgbserver",
        [_Format("xgboost", "2", 1)],
        "kserve/xgbserver:latest",
        args=(*_ARGS, "--nthread=1"),
        bridge=True,
    ),
    _Runtime(
        "kserve-lgbserver",
        [_Format("lightgbm", "4", 1)],
        "kserve/lgbserver:latest",
        args=(*_ARGS, "--nthread=1"),
        bridge=True,
    ),
    _Runtime(
        "kserve-pmmlserver",
        [_Format("pmml", "3", 1), _Format("pmml", "4", 1)],
        "kserve/pmmlserver:latest",
        args=_ARGS,
        bridge=True,
    ),
    # Ours; KServe has Triton only. It comes before that where both fit: it runs without a container engine.
    _Runtime(
        "inferplane-onnxserver",
        [_Format("onnx", "1", 2)],
        "inferplane/onnxserver:latest",
        args=(*_ARGS, "--nthread=1"),
        bridge=True,
    ),
    _Runtime("kserve-paddleserver", [_Format("paddle", "2", 1)], "kserve/paddleserver:latest", args=_ARGS, bridge=True),
    # Ours; KServe has MLServer only, which speaks V2 alone and goes before this one where that is wanted.
    _Runtime(
        "inferplane-mlflowserver",
        [_Format("mlflow", "1", None), _Format("mlflow", "2", None), _Format("mlflow", "3", None)],
        "inferplane/mlflowserver:latest",
        args=_ARGS,
        bridge=True,
    ),
    _Runtime("kserve-autogluonserver", [_Format("autogluon", "1", 1)], "kserve/autogluonserver:latest", args=_ARGS),
    _Runtime(
        "kserve-predictiveserver",
        [
            _Format("sklearn", "1", 3, auto_select=False),
            _Format("xgboost", "2", 3, auto_select=False),
            _Format("lightgbm", "4", 3, auto_select=False),
        ],
        "kserve/predictiveserver:latest",
        args=(*_ARGS, "--framework={{.Annotations.modelFormat}}", "--nthread=1"),
        bridge=True,
        spec={"multiModel": False},
    ),
    _Runtime(
        "kserve-mlserver",
        [
            _Format("sklearn", "0", 2),
            _Format("sklearn", "1", 2),
            _Format("xgboost", "1", 2),
            _Format("xgboost", "2", 2),
            _Format("lightgbm", "3", 2),
            _Format("lightgbm", "4", 2),
            _Format("mlflow", "1", 1),
            _Format("mlflow", "2", 1),
        ],
        "docker.io/seldonio/mlserver:1.7.1",
        protocols=("v2",),
        env=(
            ("MLSERVER_MODEL_IMPLEMENTATION", "{{.Labels.modelClass}}"),
            ("MLSERVER_HTTP_PORT", "8080"),
            ("MLSERVER_GRPC_PORT", "9000"),
        ),
        ready_path="/v2/health/ready",
    ),
    _Runtime(
        "kserve-tensorflow-serving",
        [_Format("tensorflow", "1", 2), _Format("tensorflow", "2", 2)],
        "tensorflow/serving:2.6.2",
        protocols=("v1", "grpc-v1"),
        command=("/usr/bin/tensorflow_model_server",),
        args=(
            "--model_name={{.Name}}",
            "--port=9000",
            "--rest_api_port=8080",
            "--model_base_path=/mnt/models",
            "--rest_api_timeout_in_ms=60000",
        ),
        user=1000,
    ),
    _Runtime(
        "kserve-tritonserver",
        [
            _Format("tensorrt", "8", 1),
            _Format("tensorflow", "1", 1),
            _Format("tensorflow", "2", 1),
            _Format("onnx", "1", 1),
            _Format("pytorch", "1", None, auto_select=False),
            _Format("triton", "2", 1),
        ],
        "nvcr.io/nvidia/tritonserver:23.05-py3",
        protocols=("v2", "grpc-v2"),
        args=(
            "tritonserver",
            "--model-store=/mnt/models",
            "--grpc-port=9000",
            "--http-port=8080",
            "--allow-grpc=true",
            "--allow-http=true",
        ),
        metrics_port=8002,
        user=1000,
        ready_path="/v2/health/ready",
    ),
    _Runtime(
        "kserve-torchserve",
        [_Format("pytorch", "1", 2)],
        "pytorch/torchserve-kfs:0.9.0",
        protocols=("v1", "v2", "grpc-v2"),
        args=(
            "torchserve",
            "--start",
            "--model-store=/mnt/models/model-store",
            "--ts-config=/mnt/models/config/config.properties",
        ),
        env=(("TS_SERVICE_ENVELOPE", "{{.Labels.serviceEnvelope}}"),),
        metrics_port=8082,
        user=1000,
        # In place of KServe's wrapper, which is in the image, our own server is before TorchServe (decision 0040).
        bridge=True,
    ),
    # Ours. A pytorch model without a version is TorchServe's, as with KServe; `version: "2"` or the name asks for this.
    _Runtime(
        "inferplane-torchserver",
        [_Format("pytorch", "2", 1)],
        "inferplane/torchserver:latest",
        args=(*_ARGS, "--nthread=1"),
        bridge=True,
    ),
    _Runtime(
        "kserve-huggingfaceserver",
        [_Format("huggingface", "1", 1)],
        "kserve/huggingfaceserver:latest",
        protocols=("v2", "v1"),
        args=("--model_name={{.Name}}",),
        env=(("LMCACHE_USE_EXPERIMENTAL", "True"),),
        shared_memory=True,
        bridge=True,
    ),
)


def cluster_serving_runtimes() -> list[JsonObject]:
    """The ClusterServingRuntimes, ready to be applied. The multi-node and vLLM ones are not among them yet."""
    return [_object(one) for one in _RUNTIMES]


SHIPPED = Config(deploy=Deploy(default_deployment_mode=KNATIVE))
"""What the ConfigMap says that a new platform starts with."""


def inferenceservice_config() -> JsonObject:
    """The ConfigMap with its defaults spelled out, so that users see what they can change."""
    config = {field.encode_name: getattr(SHIPPED, field.name) for field in msgspec.structs.fields(Config)}
    data: JsonObject = {key: _document(section) for key, section in config.items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_NAME, "namespace": CONFIG_NAMESPACE},
        "data": data,
    }


def _document(section: msgspec.Struct) -> str:
    """All fields, those at their defaults too."""
    return msgspec.json.format(msgspec.json.encode(_spelled_out(section)), indent=2).decode()


def _spelled_out(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(type(value))
        return {field.encode_name: _spelled_out(getattr(value, field.name)) for field in fields}
    return value


def _object(runtime: _Runtime) -> JsonObject:
    annotations: JsonObject = {
        "prometheus.kserve.io/port": str(runtime.metrics_port),
        "prometheus.kserve.io/path": "/metrics",
    }
    if runtime.bridge:
        annotations |= {"inferplane.dev/grpc-bridge": "true", "inferplane.dev/agent": "in-server"}
    spec: JsonObject = {
        "annotations": annotations,
        "supportedModelFormats": [_format(one) for one in runtime.formats],
        "protocolVersions": [*runtime.protocols],
        "containers": [_container(runtime)],
        **runtime.spec,
    }
    if runtime.shared_memory:
        spec["volumes"] = [{"name": "devshm", "emptyDir": {"medium": "Memory"}}]
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": runtime.name},
        "spec": spec,
    }


def _format(one: _Format) -> JsonObject:
    entry: JsonObject = {"name": one.name, "autoSelect": one.auto_select}
    if one.version is not None:
        entry["version"] = one.version
    if one.priority is not None:
        entry["priority"] = one.priority
    return entry


def _container(runtime: _Runtime) -> JsonObject:
    security: JsonObject = {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    amounts: JsonObject = {"cpu": "1", "memory": "2Gi"}
    container: JsonObject = {
        "name": "kserve-container",
        "image": runtime.image,
        "securityContext": security | ({"runAsUser": runtime.user} if runtime.user else {}),
        "resources": {"requests": amounts, "limits": dict(amounts)},
    }
    env: list[Json] = [{"name": name, "value": value} for name, value in runtime.env]
    optional: JsonObject = {"command": [*runtime.command], "args": [*runtime.args], "env": env}
    container |= {key: value for key, value in optional.items() if value}
    if runtime.shared_memory:
        container["volumeMounts"] = [{"name": "devshm", "mountPath": "/dev/shm"}]
    if runtime.ready_path:
        container["readinessProbe"] = _ready_when(runtime.ready_path)
    return container


def _ready_when(path: str) -> JsonObject:
    return {
        "httpGet": {"path": path, "port": 8080},
        "timeoutSeconds": 1,
        "periodSeconds": 2,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
