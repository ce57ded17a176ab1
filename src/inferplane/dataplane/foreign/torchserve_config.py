"""What TorchServe is started with: its command, and `config.properties` as a pod needs it (pure).

A model directory for TorchServe has `model-store/*.mar` and `config/config.properties`, written for a container with an
address of its own: it listens on all addresses. Pods of one machine have an address each, so the file's ports are kept
and its addresses are replaced, in a copy; the file itself stays as it is. What comes later in the file wins.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from inferplane.kernel.errors import InferplaneError

_ADDRESSES = {"inference_address": 8080, "management_address": 8081, "metrics_address": 8082}
_GRPC = {"grpc_inference_port": 7070, "grpc_management_port": 7071}
"""TorchServe's own defaults."""

ENVELOPE = "TS_SERVICE_ENVELOPE"
V2_ENVELOPE = "kservev2"
_HEAP = "-Xmx512m -XX:+UseSerialGC"
"""Without `vmargs` in the file. Java would take a quarter of the machine's memory for its heap, whatever the pod may
have; the models are in other processes."""
_ALLOWED = "--enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow"
"""What TorchServe's network library does, and Java warns of from this version on."""
_WARNS_FROM = 24


class BadConfig(InferplaneError):
    pass


@dataclass(frozen=True, slots=True)
class Served:
    """A model of the configuration: `archive` is its file, or directory, in the model store."""

    name: str
    archive: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`text` is the configuration to start with; `management` and `inference` are HOST:PORT."""

    text: str
    models: Sequence[Served]
    inference: str
    management: str
    envelope: str

    @property
    def is_v2(self) -> bool:
        return self.envelope == V2_ENVELOPE


def plan(
    text: str,
    environ: Mapping[str, str],
    *,
    host: str,
    taken: Collection[int],
    store: str,
    archives: Sequence[str],
    java: int,
) -> Plan:
    """`text` is the file's, `host` the pod's address, `taken` are ports of ours, `archives` the names of what is in the
    model store, `java` is its version. Raises BadConfig."""
    told = properties(text)
    ports = _ports(told, taken)
    envelope = environ.get(ENVELOPE) or told.get("service_envelope", "")
    changed = {
        **{name: f"http://{host}:{ports[name]}" for name in _ADDRESSES},
        **{name: str(ports[name]) for name in _GRPC},
        "grpc_inference_address": host,
        "grpc_management_address": host,
        "model_store": store,
        "disable_token_authorization": "true",
        **({"service_envelope": envelope} if envelope else {}),
    }
    arguments = f"{_HEAP} {_ALLOWED}" if java >= _WARNS_FROM else _HEAP
    defaults = {"vmargs": arguments, "default_workers_per_model": "1"}
    if "model_snapshot" not in told:
        defaults["load_models"] = "all"
    added = {name: value for name, value in defaults.items() if name not in told} | changed
    lines = "".join(f"{name}={value}\n" for name, value in added.items())
    return Plan(
        text=f"{text.rstrip()}\n\n# By the pod:\n{lines}",
        models=_models({**added, **told}, archives),
        inference=f"{host}:{ports['inference_address']}",
        management=f"{host}:{ports['management_address']}",
        envelope=envelope,
    )


def properties(text: str) -> dict[str, str]:
    """Java's format, as far as TorchServe's own launcher reads it: lines of `name=value`."""
    pairs = (line.strip().partition("=") for line in text.splitlines() if not line.lstrip().startswith(("#", "!")))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def _ports(told: Mapping[str, str], taken: Collection[int]) -> dict[str, int]:
    """By property. Those that TorchServe has in common stay in common; those that our own server has are moved."""
    wanted = {name: _port_of(name, told.get(name, ""), default) for name, default in _ADDRESSES.items()}
    wanted |= {name: _number(name, told.get(name, str(default))) for name, default in _GRPC.items()}
    moved: dict[int, int] = {}
    for port in sorted(set(wanted.values())):
        moved[port] = _apart(port, {*taken, *wanted.values(), *moved.values()}) if port in taken else port
    return {name: moved[port] for name, port in wanted.items()}


def _apart(port: int, taken: Collection[int]) -> int:
    while port in taken:
        port += 10
    return port


def _port_of(name: str, address: str, default: int) -> int:
    """`http://0.0.0.0:8085` → 8085. An address without a port has TorchServe's default for its scheme."""
    if not address:
        return default
    scheme, separator, rest = address.partition("://")
    if not separator or scheme not in ("http", "https"):
        raise BadConfig(f"config.properties: {name}={address}: expected http://HOST:PORT")
    port = rest.partition("/")[0].rpartition(":")[2] if ":" in rest else {"http": "80", "https": "443"}[scheme]
    return _number(name, port)


def _number(name: str, port: str) -> int:
    if not port.isdigit():
        raise BadConfig(f"config.properties: {name}: expected a port number, got {port!r}")
    return int(port)


def _models(told: Mapping[str, str], archives: Sequence[str]) -> list[Served]:
    models = _of_snapshot(told["model_snapshot"]) if "model_snapshot" in told else _listed(told, archives)
    if not models:
        raise BadConfig(f"the model store has no model: expected NAME.mar, found {_all(archives)}")
    missing = [one for one in models if one.archive not in archives and "://" not in one.archive]
    if missing:
        one = missing[0]
        raise BadConfig(
            f"config.properties: model {one.name}: {one.archive} is not in the model store, which has {_all(archives)}"
        )
    return models


def _of_snapshot(text: str) -> list[Served]:
    """`{"models": {NAME: {VERSION: {"marName": FILE, …}}}}`."""
    try:
        models = json.loads(text)["models"]
        return [
            Served(str(name), str(version["marName"]))
            for name, versions in models.items()
            for version in versions.values()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadConfig(
            f"config.properties: model_snapshot: {type(error).__name__}: {error}",
            fix='write {"models": {"NAME": {"1.0": {"marName": "NAME.mar", …}}}} in one line',
        ) from error


def _listed(told: Mapping[str, str], archives: Sequence[str]) -> list[Served]:
    """`load_models`: all, or files with commas, each with `NAME=` before it or not."""
    listed = told.get("load_models", "")
    if listed.lower() in ("all", "standalone"):
        return [Served(PurePosixPath(one).stem, one) for one in sorted(archives) if one.endswith(".mar")]
    pairs = (one.strip().rpartition("=") for one in listed.split(",") if one.strip())
    return [Served(name or PurePosixPath(archive).stem, archive) for name, _, archive in pairs]


def _all(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
