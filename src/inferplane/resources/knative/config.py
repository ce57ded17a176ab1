"""Knative's ConfigMaps that its serving controllers read: text in, checked settings out.

Keys, defaults and bounds are Knative's; a key that is not known is passed over, as there. Durations are seconds. What
is read of them, and what has no meaning here, is listed in docs/knative.md.
"""

# msgspec copies a mutable default for each instance.

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

import msgspec
import yaml

from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject, text_at
from inferplane.resources import go_text

NAMESPACE = "knative-serving"
DEFAULTS = "config-defaults"
DEPLOYMENT = "config-deployment"
DOMAIN = "config-domain"
FEATURES = "config-features"
GARBAGE = "config-gc"
GATEWAY = "config-gateway"
NETWORK = "config-network"
NAMES = (DEFAULTS, DEPLOYMENT, DOMAIN, FEATURES, GARBAGE, GATEWAY, NETWORK)

CLUSTER_DOMAIN = "cluster.local"
_EXAMPLE = "_example"


class BadConfig(InferplaneError):
    """A ConfigMap says what cannot be; `problems` has one sentence for each key."""

    def __init__(self, name: str, problems: list[str]) -> None:
        super().__init__(f"ConfigMap {NAMESPACE}/{name}: {'; '.join(problems)}")
        self.problems = problems


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Base of those that have one field for each key."""


class Defaults(Settings, frozen=True, kw_only=True):
    """What a template gets that does not say (`config-defaults`)."""

    revision_timeout_seconds: int = 300
    max_revision_timeout_seconds: int = 600
    revision_response_start_timeout_seconds: int = 300
    revision_idle_timeout_seconds: int = 0
    container_concurrency: int = 0
    container_concurrency_max_limit: int = 1000
    allow_container_concurrency_zero: bool = True
    revision_cpu_request: str = ""
    revision_memory_request: str = ""
    revision_ephemeral_storage_request: str = ""
    revision_cpu_limit: str = ""
    revision_memory_limit: str = ""
    revision_ephemeral_storage_limit: str = ""

    def resources(self, kind: str) -> dict[str, str]:
        """`kind` is request or limit; by name of the resource, those that are configured."""
        words = {"cpu": "cpu", "memory": "memory", "ephemeral-storage": "ephemeral_storage"}
        found = {name: str(getattr(self, f"revision_{word}_{kind}")) for name, word in words.items()}
        return {name: amount for name, amount in found.items() if amount}


class Deployments(Settings, frozen=True, kw_only=True):
    """How pods are started (`config-deployment`)."""

    progress_deadline: float = 600.0
    pod_is_always_schedulable: bool = False


class Network(Settings, frozen=True, kw_only=True):
    """Hosts, and how traffic moves to a new revision (`config-network`)."""

    domain_template: str = "{{.Name}}.{{.Namespace}}.{{.Domain}}"
    tag_template: str = "{{.Tag}}-{{.Name}}"
    rollout_duration: int = 0
    default_external_scheme: str = "http"


DISABLED = None
"""A limit of the garbage collection that is switched off."""


class Garbage(Settings, frozen=True, kw_only=True):
    """Which revisions are kept (`config-gc`)."""

    retain_since_create_time: float | None = 48 * 3600.0
    retain_since_last_active_time: float | None = 15 * 3600.0
    min_non_active_revisions: int = 20
    max_non_active_revisions: int | None = 1000


@dataclass(frozen=True, slots=True)
class Domains:
    """Domain → labels that a Route needs for it; none: the default (`config-domain`)."""

    selectors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, labels: Mapping[str, str]) -> str:
        """The one with most labels of those that fit, of equals the first by name; the cluster's when none fits."""
        fitting = [one for one, wanted in self.selectors.items() if wanted.items() <= labels.items()]
        ranked = sorted(fitting, key=lambda one: (-len(self.selectors[one]), one))
        return ranked[0] if ranked else f"svc.{CLUSTER_DOMAIN}"


@dataclass(frozen=True, slots=True)
class Features:
    """`config-features`: those that are on."""

    enabled: frozenset[str] = frozenset({"multi-container", "kubernetes.podspec-volumes-emptydir"})

    def has(self, name: str) -> bool:
        return name in self.enabled


@dataclass(frozen=True, slots=True)
class Gateways:
    """Namespace and name of the Gateways that routes attach to (`config-gateway`).

    `local_service`: the Service through which the cluster reaches the local one, where it has one.
    """

    external: tuple[str, str] = ("kserve", "kserve-ingress-gateway")
    local: tuple[str, str] = ("kserve", "kserve-ingress-gateway")
    local_service: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """All of them; without arguments Knative's defaults."""

    defaults: Defaults = field(default_factory=Defaults)
    deployment: Deployments = field(default_factory=Deployments)
    domains: Domains = field(default_factory=Domains)
    features: Features = field(default_factory=Features)
    garbage: Garbage = field(default_factory=Garbage)
    gateways: Gateways = field(default_factory=Gateways)
    network: Network = field(default_factory=Network)


def read(name: str, data: Mapping[str, str], config: Config) -> Config:
    """`config` with what this ConfigMap says. Raises BadConfig."""
    given = {key: value for key, value in data.items() if key != _EXAMPLE}
    return _READERS[name](given, config)


# --- the maps ---------------------------------------------------------------------------------------------------------


def _defaults(data: Mapping[str, str], config: Config) -> Config:
    values = _values(DEFAULTS, data, _DEFAULTS)
    if "revision-response-start-timeout-seconds" not in values and "revision-timeout-seconds" in values:
        values["revision-response-start-timeout-seconds"] = values["revision-timeout-seconds"]
    found = msgspec.convert(values, Defaults)
    timeout, most = found.revision_timeout_seconds, found.max_revision_timeout_seconds
    rules = {
        "revision-timeout-seconds: more than max-revision-timeout-seconds": timeout > most,
        "revision-response-start-timeout-seconds: more than revision-timeout-seconds": (
            found.revision_response_start_timeout_seconds > timeout
        ),
        "revision-idle-timeout-seconds: more than revision-timeout-seconds": (
            found.revision_idle_timeout_seconds > timeout
        ),
        "container-concurrency: more than container-concurrency-max-limit": (
            found.container_concurrency > found.container_concurrency_max_limit
        ),
    }
    _refuse(DEFAULTS, [words for words, broken in rules.items() if broken])
    return _with(config, defaults=found)


def _deployment(data: Mapping[str, str], config: Config) -> Config:
    found = _settings(DEPLOYMENT, data, Deployments, _DEPLOYMENT)
    if found.progress_deadline <= 0 or found.progress_deadline % 1:
        _refuse(DEPLOYMENT, ["progress-deadline: expected whole seconds, more than 0"])
    return _with(config, deployment=found)


def _network(data: Mapping[str, str], config: Config) -> Config:
    return _with(config, network=_settings(NETWORK, data, Network, _NETWORK))


def _garbage(data: Mapping[str, str], config: Config) -> Config:
    found = _settings(GARBAGE, data, Garbage, _GARBAGE)
    most = found.max_non_active_revisions
    if most is not None and found.min_non_active_revisions > most:
        _refuse(GARBAGE, ["min-non-active-revisions: more than max-non-active-revisions"])
    return _with(config, garbage=found)


def _domains(data: Mapping[str, str], config: Config) -> Config:
    problems: list[str] = []
    selectors: dict[str, Mapping[str, str]] = {}
    for domain, text in data.items():
        try:
            selectors[domain] = _labels(text)
        except ValueError as error:
            problems.append(f"{domain}: {error}")
    _refuse(DOMAIN, problems)
    return _with(config, domains=Domains(selectors))


def _features(data: Mapping[str, str], config: Config) -> Config:
    on = set(Features().enabled)
    problems = [
        f"{key}: expected Enabled, Allowed or Disabled, got {value!r}"
        for key, value in data.items()
        if value.lower() not in ("enabled", "allowed", "disabled")
    ]
    _refuse(FEATURES, problems)
    for key, value in data.items():
        (on.discard if value.lower() == "disabled" else on.add)(key)
    return _with(config, features=Features(frozenset(on)))


def _gateways(data: Mapping[str, str], config: Config) -> Config:
    problems: list[str] = []
    found: dict[str, Mapping[str, tuple[str, str]]] = {}
    for key in data.keys() & {"external-gateways", "local-gateways"}:
        try:
            found[key] = _gateway(data[key])
        except ValueError as error:
            problems.append(f"{key}: {error}")
    _refuse(GATEWAY, problems)
    external = found.get("external-gateways", {}).get("gateway", Gateways().external)
    local = found.get("local-gateways", {})
    return _with(config, gateways=Gateways(external, local.get("gateway", external), local.get("service")))


_READERS: Mapping[str, Callable[[Mapping[str, str], Config], Config]] = {
    DEFAULTS: _defaults,
    DEPLOYMENT: _deployment,
    DOMAIN: _domains,
    FEATURES: _features,
    GARBAGE: _garbage,
    GATEWAY: _gateways,
    NETWORK: _network,
}


def _with(config: Config, **parts: object) -> Config:
    current = {name: getattr(config, name) for name in Config.__dataclass_fields__}
    return Config(**(current | parts))


# --- values -----------------------------------------------------------------------------------------------------------


def _count(text: str) -> int:
    found = go_text.integer(text)
    if found < 0:
        raise ValueError("expected 0 or more")
    return found


def _seconds(text: str) -> float:
    found = go_text.duration(text)
    if found < 0:
        raise ValueError("expected a duration that is not negative")
    return found / go_text.NANOSECONDS


def _or_disabled(reader: Callable[[str], float]) -> Callable[[str], float | None]:
    return lambda text: DISABLED if text.lower() == "disabled" else reader(text)


def _scheme(text: str) -> str:
    if text not in ("http", "https"):
        raise ValueError("expected http or https")
    return text


_Reader = Callable[[str], object]
_DEFAULTS: Mapping[str, _Reader] = {
    "revision-timeout-seconds": _count,
    "max-revision-timeout-seconds": _count,
    "revision-response-start-timeout-seconds": _count,
    "revision-idle-timeout-seconds": _count,
    "container-concurrency": _count,
    "container-concurrency-max-limit": _count,
    "allow-container-concurrency-zero": go_text.truth,
    **{
        f"revision-{name}-{kind}": str
        for name in ("cpu", "memory", "ephemeral-storage")
        for kind in ("request", "limit")
    },
}
_DEPLOYMENT: Mapping[str, _Reader] = {"progress-deadline": _seconds, "pod-is-always-schedulable": go_text.truth}
_NETWORK: Mapping[str, _Reader] = {
    "domain-template": str,
    "tag-template": str,
    "rollout-duration": _count,
    "default-external-scheme": _scheme,
}
_GARBAGE: Mapping[str, _Reader] = {
    "retain-since-create-time": _or_disabled(_seconds),
    "retain-since-last-active-time": _or_disabled(_seconds),
    "min-non-active-revisions": _count,
    "max-non-active-revisions": _or_disabled(_count),
}


def _values(name: str, data: Mapping[str, str], readers: Mapping[str, _Reader]) -> dict[str, object]:
    values: dict[str, object] = {}
    problems: list[str] = []
    for key in data.keys() & readers.keys():
        try:
            values[key] = readers[key](data[key])
        except ValueError as error:
            problems.append(f"{key}: {error}, got {data[key]!r}")
    _refuse(name, sorted(problems))
    return values


S = TypeVar("S", bound=Settings)


def _settings(name: str, data: Mapping[str, str], kind: type[S], readers: Mapping[str, _Reader]) -> S:
    return msgspec.convert(_values(name, data, readers), kind)


def _refuse(name: str, problems: list[str]) -> None:
    if problems:
        raise BadConfig(name, problems)


def _yaml(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"expected YAML: {' '.join(str(error).split())}") from None


def _labels(text: str) -> Mapping[str, str]:
    found = _yaml(text) or {}
    selector = found.get("selector", {}) if isinstance(found, dict) else None
    if not isinstance(selector, dict):
        raise ValueError("expected nothing, or a selector with labels")
    return {str(key): str(value) for key, value in selector.items()}


def _gateway(text: str) -> Mapping[str, tuple[str, str]]:
    """`gateway` and `service` of the first of the list; Knative's own Gateway API integration takes one, too."""
    found = _yaml(text)
    first = found[0] if isinstance(found, list) and found else None
    words = {key: text_at(cast(JsonObject, first), key) for key in ("gateway", "service")} if first else {}
    named = {key: tuple(word.split("/")) for key, word in words.items() if word}
    pairs = {key: (pair[0], pair[1]) for key, pair in named.items() if len(pair) == 2 and all(pair)}
    if "gateway" not in pairs or pairs.keys() != named.keys():
        raise ValueError("expected a list whose first entry has gateway: NAMESPACE/NAME, and service likewise or none")
    return pairs


# --- what one machine starts with -------------------------------------------------------------------------------------


def config_maps() -> list[JsonObject]:
    """Of one machine: names under `localhost`, every pod field that our node honours may be used."""
    gateway = "- class: inferplane\n  gateway: kserve/kserve-ingress-gateway\n"
    data: dict[str, dict[str, str]] = {
        DEFAULTS: {},
        DEPLOYMENT: {},
        DOMAIN: {"localhost": ""},
        FEATURES: dict.fromkeys(_ON_ONE_MACHINE, "enabled"),
        GARBAGE: {},
        GATEWAY: {"external-gateways": gateway, "local-gateways": gateway},
        NETWORK: {},
    }
    return [_config_map(name, {**entries}) for name, entries in data.items()]


_ON_ONE_MACHINE = (
    "kubernetes.podspec-affinity",
    "kubernetes.podspec-fieldref",
    "kubernetes.podspec-init-containers",
    "kubernetes.podspec-nodeselector",
    "kubernetes.podspec-persistent-volume-claim",
    "kubernetes.podspec-persistent-volume-write",
    "kubernetes.podspec-securitycontext",
    "kubernetes.podspec-tolerations",
    "kubernetes.podspec-topologyspreadconstraints",
    "kubernetes.podspec-volumes-hostpath",
    "multi-container-probing",
)


def _config_map(name: str, data: JsonObject) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": data,
    }
