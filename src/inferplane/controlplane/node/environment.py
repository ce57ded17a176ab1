"""A container's environment, arguments and working directory, as pure functions of its spec and what that refers to.

The rules are a kubelet's: later variables win, `$(NAME)` sees the variables before it, `$$` is a dollar sign, what is
not defined stays as it is written. Paths of mounts are then replaced by where they are on this machine.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil

from inferplane.kernel.errors import InferplaneError
from inferplane.resources.core import Container, EnvVarSource, KeySelector, Pod
from inferplane.resources.schemas.quantities import amount

_REFERENCE = re.compile(r"\$(?:\$|\(([^()$\s]+)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")
# Downward API: what a container may use when it sets no limit of its own.
_WHOLE_NODE = {"cpu": "1", "memory": "0", "ephemeral-storage": "0"}
_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


class ConfigError(InferplaneError):
    """The spec refers to something that isn't there; the text is the waiting state's message."""


@dataclass(frozen=True, slots=True)
class References:
    """Names of ConfigMaps and Secrets in the pod's namespace."""

    config_maps: frozenset[str]
    secrets: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sources:
    """What references lead to. A name that is absent does not exist. `node`: allocatable resources of the node."""

    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pod_ip: str = ""
    host_ip: str = ""
    node: Mapping[str, str] = field(default_factory=lambda: _WHOLE_NODE)


def references(container: Container) -> References:
    singles = [one.value_from for one in container.env if one.value_from is not None]
    maps = [one.config_map_key_ref.name for one in singles if one.config_map_key_ref is not None]
    secrets = [one.secret_key_ref.name for one in singles if one.secret_key_ref is not None]
    maps += [one.config_map_ref.name for one in container.env_from if one.config_map_ref is not None]
    secrets += [one.secret_ref.name for one in container.env_from if one.secret_ref is not None]
    return References(frozenset(maps), frozenset(secrets))


def environment(pod: Pod, container: Container, sources: Sources, base: Mapping[str, str]) -> dict[str, str]:
    """`base` first, then `envFrom`, then `env`. Raises ConfigError."""
    found = dict(base)
    found |= dict(_from_whole_objects(container, sources))
    for variable in container.env:
        if variable.value_from is None:
            found[variable.name] = expand(variable.value, found)
        elif (referred := _referred(pod, container, variable.value_from, sources)) is not None:
            found[variable.name] = referred
    return found


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` → value, `$$` → `$`; an unknown name stays as written."""

    def replace(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else variables.get(found[1], found[0])

    return _REFERENCE.sub(replace, text)


def relocate(text: str, places: Mapping[str, str]) -> str:
    """Replaces paths of a container by the machine's: whole path components, anywhere in the text, longest first.

    `places` maps mount paths to directories. `--dir=/mnt/models/a` and `file:///mnt/models` change; `/mnt/models2` and
    `/data/mnt/models` don't.
    """
    if not places:
        return text
    paths = "|".join(re.escape(path) for path in sorted(places, key=len, reverse=True))
    pattern = rf"(?:(?<=file://)|(?<![\w./-]))({paths})(?![\w.-])"
    return re.sub(pattern, lambda found: places[found[1]], text)


def field_value(pod: Pod, path: str, sources: Sources) -> str:
    """A `fieldRef`. Raises ConfigError for a path that the downward API does not have."""
    if (found := _SUBSCRIPT.fullmatch(path)) is not None:
        table = pod.metadata.labels if found[1] == "labels" else pod.metadata.annotations
        return table.get(found[2], "")
    values = {
        "metadata.name": pod.metadata.name,
        "metadata.namespace": pod.metadata.namespace,
        "metadata.uid": pod.metadata.uid,
        "metadata.labels": _lines(pod.metadata.labels),
        "metadata.annotations": _lines(pod.metadata.annotations),
        "spec.nodeName": pod.spec.node_name,
        "spec.serviceAccountName": pod.spec.service_account_name or "default",
        "status.hostIP": sources.host_ip,
        "status.hostIPs": sources.host_ip,
        "status.podIP": sources.pod_ip,
        "status.podIPs": sources.pod_ip,
    }
    if path not in values:
        raise ConfigError(f"fieldRef {path}: no such field; expected one of {', '.join(values)}")
    return values[path]


def resource_value(container: Container, resource: str, divisor: str | int, sources: Sources) -> str:
    """A `resourceFieldRef` such as `limits.cpu`; without a limit, what the node has."""
    which, _, name = resource.partition(".")
    table = container.resources.limits if which == "limits" else container.resources.requests
    default = sources.node.get(name, "0") if which == "limits" else "0"
    try:
        return in_units_of(table.get(name, default), divisor)
    except ValueError as error:
        raise ConfigError(f"resourceFieldRef {resource}: {error}") from error


def in_units_of(value: str | float, divisor: str | float) -> str:
    """`value / divisor`, rounded up, as `resourceFieldRef` shows it. A divisor of 0 means 1."""
    return str(ceil(amount(str(value)) / (amount(str(divisor)) or 1)))


def _from_whole_objects(container: Container, sources: Sources) -> Iterable[tuple[str, str]]:
    for one in container.env_from:
        for kind, reference, table in (
            ("configmap", one.config_map_ref, sources.config_maps),
            ("secret", one.secret_ref, sources.secrets),
        ):
            if reference is None:
                continue
            if reference.name not in table and not reference.optional:
                raise ConfigError(f'{kind} "{reference.name}" not found')
            for key, value in table.get(reference.name, {}).items():
                # A kubelet leaves out keys that can't be names of variables.
                if _NAME.fullmatch(one.prefix + key):
                    yield one.prefix + key, value


def _referred(pod: Pod, container: Container, source: EnvVarSource, sources: Sources) -> str | None:
    """None for an optional key that isn't there."""
    if (key := source.config_map_key_ref) is not None:
        return _keyed("ConfigMap", key, sources.config_maps, pod.metadata.namespace)
    if (key := source.secret_key_ref) is not None:
        return _keyed("Secret", key, sources.secrets, pod.metadata.namespace)
    if source.field_ref is not None:
        return field_value(pod, source.field_ref.field_path, sources)
    if (resource := source.resource_field_ref) is not None:
        other = next((one for one in pod.spec.containers if one.name == resource.container_name), container)
        return resource_value(other, resource.resource, resource.divisor, sources)
    return None


def _keyed(kind: str, key: KeySelector, table: Mapping[str, Mapping[str, str]], namespace: str) -> str | None:
    if key.name not in table:
        if key.optional:
            return None
        raise ConfigError(f'{kind.lower()} "{key.name}" not found')
    if key.key not in table[key.name]:
        if key.optional:
            return None
        raise ConfigError(f"couldn't find key {key.key} in {kind} {namespace}/{key.name}")
    return table[key.name][key.key]


def _lines(table: Mapping[str, str]) -> str:
    return "\n".join(f'{key}="{value}"' for key, value in sorted(table.items()))
