"""Rules about containers: how many implementations a component has, what they may be called, their environment."""

import re
from collections.abc import Iterator

from inferplane.kernel.json import JsonObject, object_at, text_at
from inferplane.resources.serving.defaulting import MAIN_CONTAINER, frameworks_in
from inferplane.resources.serving.inferenceservice import Batcher, LoggerSpec
from inferplane.resources.serving.validation.parts import COMPONENTS, containers_of, environment

BLOCKED_ENV = "PYTHONPATH"
_TRANSFORMER_CONTAINER = "transformer-container"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_STORES = ("s3://", "gs://", "abfs://", "abfss://")


def environment_problems(spec: JsonObject) -> Iterator[str]:
    """A module path of one's own would shadow the server's modules."""
    for name in COMPONENTS:
        component = object_at(spec, name)
        for path, container in _places(name, component):
            if BLOCKED_ENV in environment(container):
                yield f"spec.{path}: env {BLOCKED_ENV} is not allowed"


def _places(name: str, component: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    for kind in ("containers", "initContainers"):
        yield from ((f"{name}.{kind}", one) for one in containers_of(component, kind))
    yield from ((f"{name}.{one}", object_at(component, one)) for one in (*frameworks_in(component), "art"))
    for kind in ("containers", "initContainers"):
        workers = containers_of(object_at(component, "workerSpec"), kind)
        yield from ((f"{name}.workerSpec.{kind}", one) for one in workers)


def predictor_problems(spec: JsonObject) -> Iterator[str]:
    predictor = object_at(spec, "predictor")
    for one in containers_of(predictor):
        if text_at(one, "name") == _TRANSFORMER_CONTAINER and "STORAGE_URI" in environment(one):
            yield f"spec.predictor.containers: {_TRANSFORMER_CONTAINER} cannot have env STORAGE_URI"
    for name in frameworks_in(predictor):
        if text_at(predictor, name, "name"):
            yield f"spec.predictor.{name}.name: the container of a model cannot be named"


def implementation_problems(spec: JsonObject, component: str) -> Iterator[str]:
    """Exactly one thing has to serve; containers beside it are sidecars."""
    raw = object_at(spec, component)
    have = implementations(component, raw)
    if len(have) != 1:
        what = f"has {', '.join(have)}" if have else "has none"
        yield f"spec.{component}: exactly one of {_CHOICES[component]} is needed, {what}"
    elif component == "predictor" and have == ["containers"]:
        yield from _protocol_problems(containers_of(raw)[0])


_CHOICES = {
    "predictor": "model, a framework or containers of your own",
    "transformer": "containers of your own",
    "explainer": "art or containers of your own",
}


def implementations(component: str, raw: JsonObject) -> list[str]:
    """The fields that serve, e.g. `["model"]`."""
    names = [text_at(one, "name") for one in containers_of(raw)]
    if component == "transformer":
        return ["containers"] if names else []
    given = list(frameworks_in(raw)) if component == "predictor" else ["art"] if "art" in raw else []
    custom = MAIN_CONTAINER in names or (bool(names) and not given)
    return given + (["containers"] if custom else [])


def _protocol_problems(container: JsonObject) -> Iterator[str]:
    protocol = environment(container).get("PROTOCOL")
    if protocol is not None and protocol not in ("v1", "v2"):
        yield f"spec.predictor.containers[0]: env PROTOCOL: expected v1 or v2, got {protocol!r}"


def logger_problems(path: str, logger: LoggerSpec | None) -> Iterator[str]:
    if logger is None:
        return
    if logger.mode is None:
        yield f"{path}.logger.mode: is needed: all, request or response"
    if logger.storage is not None:
        storage = logger.storage
        missing = [name for name in ("path", "parameters", "key") if not getattr(storage, name)]
        if missing:
            yield f"{path}.logger.storage: needs {', '.join(missing)}"
    if logger.batch_size is not None and logger.batch_size < 1:
        yield f"{path}.logger.batchSize: must be 1 or more, is {logger.batch_size}"
    yield from _url_problems(f"{path}.logger", logger)


def _url_problems(path: str, logger: LoggerSpec) -> Iterator[str]:
    url = logger.url or ""
    if url and not _URL.match(url):
        yield f"{path}.url: expected a URL such as http://host/path, got {url!r}"
    if url.startswith(_STORES) and not (logger.storage and logger.storage.path):
        yield f"{path}.storage.path: is needed to write to {url}"


def batcher_problems(path: str, batcher: Batcher | None) -> Iterator[str]:
    """KServe's agent ends where these are not met; here the spec is told of."""
    if batcher is None:
        return
    for field, value, least in (
        ("maxBatchSize", batcher.max_batch_size, 1),
        ("maxLatency", batcher.max_latency, 0),
        ("timeout", batcher.timeout, 1),
    ):
        if value is not None and value < least:
            yield f"{path}.batcher.{field}: must be {least} or more, is {value}"
