"""Logger and batcher of a component: as flags of our own server, else KServe's agent beside it (reference 6.9). Pure.

Whose container it is that requests come to says a word of the runtime or of the service (`inferplane.dev/agent:
in-server`), or the platform's table of process images. Our own servers log and batch by themselves. In front of any
other one goes the container `agent`: requests come to its port 9081, and it passes them on to the server's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from inferplane.controlplane.serving import names
from inferplane.controlplane.serving.ports import containers_of, entry_container, first_port, tcp_probe
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at
from inferplane.resources.process_image import ProcessImage, find, matches
from inferplane.resources.serving import config as configuration
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.inferenceservice import Batcher, ComponentExtension, InferenceService, LoggerSpec
from inferplane.resources.serving.runtime import ServingRuntime

ANNOTATION = "inferplane.dev/agent"
IN_SERVER = "in-server"
DEFAULT, CANARY = "default", "canary"
CONTAINER = "agent"
PORT = 9081
PORT_NAME = "agent-port"
POD_NAME = "$(POD_NAME)"

_OURS = "inferplane.dev/"
_OUR_FLAGS = ("log-share", "log-redact", "log-content-mode")
"""What KServe's LoggerSpec has no fields for: annotations of the service, by the name of the flag."""
_OUR_SERVER = "inferplane.assembly.model_server:main"
_CA_VOLUME, _CA_DIRECTORY = "agent-ca-bundle", "/etc/tls/logger"


@dataclass(frozen=True, slots=True)
class Post:
    """Whose requests the agent sees. `endpoint` is DEFAULT, or CANARY for another version of the predictor."""

    isvc: InferenceService
    kind: str
    spec: ComponentExtension
    annotations: JsonObject
    endpoint: str = DEFAULT


@dataclass(frozen=True, slots=True)
class Servers:
    """What is known of who runs our code: the runtime that was chosen and the platform's table (empty on a cluster)."""

    runtime: ServingRuntime | None = None
    images: Sequence[ProcessImage] = ()

    def is_ours(self, container: JsonObject, annotations: Mapping[str, Json]) -> bool:
        """Does our own server run in the container, which has the agent's work done in itself?"""
        if annotations.get(ANNOTATION) == IN_SERVER:
            return True
        if container.get("name") == names.MAIN_CONTAINER and self.runtime is not None:
            mine = self.runtime
            return IN_SERVER in (mine.spec.annotations.get(ANNOTATION), mine.metadata.annotations.get(ANNOTATION))
        image = None if list_at(container, "command") else find(self.images, text_at(container, "image"))
        return image is not None and image.spec.entrypoint == _OUR_SERVER

    def has_our_agent(self, image: str) -> bool:
        """Whether the sidecar is ours, which has flags that KServe's would not start with."""
        return matches("inferplane/agent", image) or find(self.images, image) is not None


def attached(pod: JsonObject, post: Post, servers: Servers, config: Config, first: Sequence[str] = ()) -> JsonObject:
    """The pod with someone who logs and batches, if that is asked for. `first`: flags of further work for the agent."""
    in_server = servers.is_ours(entry_container(pod), post.annotations)
    flags = [*first, *flags_of(post, config, ours=in_server or servers.has_our_agent(config.agent.image))]
    if not flags:
        return pod
    return with_flags(pod, flags, config) if in_server else with_sidecar(pod, flags, config)


def with_flags(pod: JsonObject, flags: Sequence[str], config: Config) -> JsonObject:
    """Our own server, which does it by itself."""
    entry = entry_container(pod)
    told = _told(entry | {"args": [*list_at(entry, "args"), *flags]}, flags)
    others: list[Json] = [told if one == entry else one for one in containers_of(pod)]
    return _with_authorities(pod | {"containers": others}, text_at(entry, "name"), flags, config)


def with_sidecar(pod: JsonObject, flags: Sequence[str], config: Config) -> JsonObject:
    """Left alone if there is a container of that name already."""
    containers = containers_of(pod)
    if any(one.get("name") == CONTAINER for one in containers):
        return pod
    made = _sidecar(containers[0], entry_container(pod), flags, config.agent)
    return _with_authorities(pod | {"containers": [*containers, made]}, CONTAINER, flags, config)


def in_front(pod: JsonObject) -> bool:
    """Whether requests come to an agent first."""
    return any(one.get("name") == CONTAINER for one in containers_of(pod))


def noted(post: Post, config: Config) -> JsonObject:
    """Annotations of the pods: what KServe's webhook would read there."""
    logger, batcher = post.spec.logger, _batcher_of(post)
    found: dict[str, str | None] = {}
    if logger is not None:
        found |= {
            "logger": "true",
            "logger-sink-url": logger.url or config.logger.default_url,
            "logger-mode": logger.mode,
            "logger-metadata-headers": ",".join(logger.metadata_headers or ()),
            "logger-metadata-annotations": ",".join(logger.metadata_annotations or ()),
        }
    if batcher is not None:
        found |= {
            "batcher": "true",
            "batcher-max-batchsize": _text(batcher.max_batch_size),
            "batcher-max-latency": _text(batcher.max_latency),
        }
    return {names.INTERNAL + key: value for key, value in found.items() if value}


# --- flags ------------------------------------------------------------------------------------------------------------


def flags_of(post: Post, config: Config, *, ours: bool) -> list[str]:
    """KServe's, in its order; with `ours` those that only our agent has, too. Empty: there is nothing to do."""
    batcher, logger = _batcher_of(post), post.spec.logger
    return [
        *([] if batcher is None else _batcher_flags(batcher, ours=ours)),
        *([] if logger is None else _logger_flags(logger, post, config.logger)),
        *(_own_flags(post.annotations) if logger is not None and ours else []),
    ]


def _batcher_of(post: Post) -> Batcher | None:
    """An explainer's is ignored, as in KServe: there is nothing to merge in `:explain`."""
    return None if post.kind == names.EXPLAINER else post.spec.batcher


def _batcher_flags(batcher: Batcher, *, ours: bool) -> list[str]:
    timeout = None if not ours or batcher.timeout is None else 1000 * batcher.timeout
    return [
        "--enable-batcher",
        *_pairs(
            ("--max-batchsize", _text(batcher.max_batch_size)),
            ("--max-latency", _text(batcher.max_latency or None)),
            ("--batcher-timeout", _text(timeout)),
        ),
    ]


def _logger_flags(logger: LoggerSpec, post: Post, config: configuration.Logger) -> list[str]:
    meta, storage = post.isvc.metadata, logger.storage
    parameters = (storage.parameters if storage else None) or {}
    size = config.batch_size if logger.batch_size is None else logger.batch_size
    annotations = [f"{name}={post.annotations[name]}" for name in _known(logger.metadata_annotations, post.annotations)]
    return [
        *_pairs(
            ("--log-url", logger.url or config.default_url),
            ("--source-uri", POD_NAME),
            ("--log-mode", logger.mode or "all"),
            ("--inference-service", meta.name),
            ("--namespace", meta.namespace),
            ("--endpoint", post.endpoint),
            ("--component", post.kind),
            ("--log-store-path", (storage.path if storage else None)),
            ("--log-store-format", parameters.get("format")),
            ("--log-marshaller-url", logger.marshaller_url or config.marshaller_url),
            ("--log-batch-size", _text(size)),
            ("--log-batch-interval", logger.batch_interval or config.batch_interval),
            ("--metadata-headers", ",".join(logger.metadata_headers or ())),
            ("--metadata-annotations", ",".join(annotations)),
            ("--logger-ca-cert-file", config.ca_cert_file if config.ca_bundle else ""),
        ),
        # In one word: as two, KServe's agent takes the flag alone for true.
        f"--logger-tls-skip-verify={str(config.tls_skip_verify).lower()}",
    ]


def _known(wanted: Sequence[str] | None, annotations: JsonObject) -> list[str]:
    return [name for name in wanted or () if name in annotations]


def _own_flags(annotations: JsonObject) -> list[str]:
    return _pairs(*((f"--{name}", text_at(annotations, _OURS + name)) for name in _OUR_FLAGS))


def _pairs(*flags: tuple[str, str | None]) -> list[str]:
    return [word for name, value in flags if value for word in (name, value)]


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


# --- containers -------------------------------------------------------------------------------------------------------


def _sidecar(first: JsonObject, entry: JsonObject, flags: Sequence[str], agent: configuration.Sidecar) -> JsonObject:
    port = first_port(entry)
    probe = _inherited(entry, port)
    env: list[Json] = [{"name": "SERVING_READINESS_PROBE", "value": _go_text(probe) if probe else ""}]
    container: JsonObject = {
        "name": CONTAINER,
        "image": agent.image,
        "args": [*flags, "--component-port", str(port)],
        "ports": [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        "env": env,
        "resources": {
            "requests": {"cpu": agent.cpu_request, "memory": agent.memory_request},
            "limits": {"cpu": agent.cpu_limit, "memory": agent.memory_limit},
        },
        "readinessProbe": _own_probe(object_at(entry, "readinessProbe")),
    }
    if security := object_at(first, "securityContext"):
        container["securityContext"] = security
    return _told(container, flags)


def _inherited(entry: JsonObject, port: int) -> JsonObject | None:
    """The server's readiness probe, which the agent makes its own; None for one that runs a command or is for gRPC."""
    probe = object_at(entry, "readinessProbe") or tcp_probe(port)
    how = next((one for one in ("httpGet", "tcpSocket") if one in probe), None)
    if how is None:
        return None
    asked = object_at(probe, how)
    return probe | {how: asked | {"port": _number(asked.get("port"), entry) or port}}


def _number(port: Json, entry: JsonObject) -> int:
    """Of a port that a probe names, or gives; 0 for none."""
    if isinstance(port, int):
        return port
    named = [one for one in list_at(entry, "ports") if isinstance(one, dict) and one.get("name") == port]
    return next((number_at(one, "containerPort") for one in named), 0)


def _own_probe(entrys: JsonObject) -> JsonObject:
    """The kubelet's question to the agent, as often as it would ask the server."""
    headers: list[Json] = [{"name": "K-Network-Probe", "value": "queue"}]
    path = text_at(entrys, "httpGet", "path") or "/"
    period = {key: value for key, value in entrys.items() if key == "periodSeconds"}
    return {"httpGet": {"path": path, "port": PORT, "httpHeaders": headers}, **period}


def _go_text(probe: JsonObject) -> str:
    return msgspec.json.encode(probe).decode()


def _told(container: JsonObject, flags: Sequence[str]) -> JsonObject:
    """With the pod's name in its environment, if a flag refers to it."""
    env = list_at(container, "env")
    have = {text_at(one, "name") for one in env if isinstance(one, dict)}
    if POD_NAME not in flags or "POD_NAME" in have:
        return container
    source: JsonObject = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    return container | {"env": [*env, source]}


def _with_authorities(pod: JsonObject, container: str, flags: Iterable[str], config: Config) -> JsonObject:
    """Mounts the ConfigMap with the authorities of the logger's sink, where one is configured."""
    if not config.logger.ca_bundle or "--log-url" not in flags:
        return pod
    volume: JsonObject = {"name": _CA_VOLUME, "configMap": {"name": config.logger.ca_bundle, "optional": True}}
    mount: JsonObject = {"name": _CA_VOLUME, "mountPath": _CA_DIRECTORY, "readOnly": True}
    changed: list[Json] = [
        one | {"volumeMounts": [*list_at(one, "volumeMounts"), mount]} if one.get("name") == container else one
        for one in containers_of(pod)
    ]
    return pod | {"containers": changed, "volumes": [*list_at(pod, "volumes"), volume]}
