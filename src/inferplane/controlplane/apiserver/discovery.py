"""Discovery: which groups, versions and resources there are, in the plain and in the aggregated form. Pure."""

import base64
import hashlib

from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.registry import Registry
from inferplane.kernel.json import Json, JsonObject

SUBRESOURCE_VERBS: dict[str, tuple[str, ...]] = {
    "status": ("get", "patch", "update"),
    "scale": ("get", "patch", "update"),
    "binding": ("create",),
    "eviction": ("create",),
    "finalize": ("update",),
    "log": ("get",),
    "token": ("create",),
    "attach": ("create", "get"),
    "exec": ("create", "get"),
    "portforward": ("create", "get"),
}
# The kind that a subresource takes or gives, where it isn't the resource's own: group, version, kind.
SUBRESOURCE_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "binding": ("", "v1", "Binding"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "attach": ("", "v1", "PodAttachOptions"),
    "exec": ("", "v1", "PodExecOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
}


def core_versions(address: str) -> JsonObject:
    """`/api`"""
    clients: Json = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": clients}


def group_list(registry: Registry) -> JsonObject:
    """`/apis`"""
    groups: list[Json] = [_group(name, versions) for name, versions in registry.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> JsonObject | None:
    """`/apis/GROUP`"""
    versions = registry.groups().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if name and versions else None


def _group(name: str, versions: list[str]) -> JsonObject:
    listed: list[Json] = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def resource_list(registry: Registry, group_name: str, version: str) -> JsonObject | None:
    """`/api/v1` and `/apis/GROUP/VERSION`"""
    kinds = registry.in_version(group_name, version)
    if not kinds:
        return None
    resources = [entry for kind in kinds for entry in _entries(kind)]
    group_version = f"{group_name}/{version}" if group_name else version
    head: JsonObject = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version}
    return head | {"resources": resources}


def _entries(kind: Kind) -> list[Json]:
    resource = kind.resource
    main: JsonObject = {
        "name": resource.plural,
        "singularName": kind.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        main["shortNames"] = list(kind.short_names)
    if kind.categories:
        main["categories"] = list(kind.categories)
    if "list" in kind.verbs and not kind.custom and not kind.computed:
        main["storageVersionHash"] = _storage_hash(kind)
    return [main, *(_subentry(kind, subresource) for subresource in kind.subresources)]


def _subentry(kind: Kind, subresource: str) -> Json:
    own = SUBRESOURCE_KINDS.get(subresource)
    entry: JsonObject = {
        "name": f"{kind.resource.plural}/{subresource}",
        "singularName": "",
        "namespaced": kind.resource.namespaced,
    }
    if own and own[0]:
        entry |= {"group": own[0], "version": own[1]}
    return entry | {
        "kind": own[2] if own else kind.resource.kind,
        "verbs": list(SUBRESOURCE_VERBS[subresource]),
    }


def _storage_hash(kind: Kind) -> str:
    digest = hashlib.sha256(f"{kind.storage.api_version}/{kind.storage.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def aggregated(registry: Registry, core: bool, version: str) -> JsonObject:
    """`/api` (core group) or `/apis` (the others) as an APIGroupDiscoveryList of `version`."""
    items: list[Json] = []
    for name, versions in registry.groups().items():
        if (name == "") == core:
            metadata: JsonObject = {"name": name} if name else {}
            items.append({"metadata": metadata, "versions": [_version(registry, name, one) for one in versions]})
    head: JsonObject = {"kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}"}
    return head | {"metadata": {}, "items": items}


def _version(registry: Registry, name: str, version: str) -> Json:
    resources: list[Json] = [_aggregated_kind(kind) for kind in registry.in_version(name, version)]
    return {"version": version, "resources": resources, "freshness": "Current"}


def _aggregated_kind(kind: Kind) -> Json:
    resource = kind.resource
    entry: JsonObject = {
        "resource": resource.plural,
        "responseKind": _response_kind(kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if kind.subresources:
        entry["subresources"] = [_aggregated_subresource(kind, one) for one in kind.subresources]
    return entry


def _response_kind(kind: Kind) -> JsonObject:
    # A real server names group and version for custom resources only.
    resource = kind.resource
    group_name, version = (resource.group, resource.version) if kind.custom else ("", "")
    return {"group": group_name, "version": version, "kind": resource.kind}


def _aggregated_subresource(kind: Kind, subresource: str) -> Json:
    own = SUBRESOURCE_KINDS.get(subresource)
    response: JsonObject = _response_kind(kind)
    if own:
        group_name, version = (own[0], own[1]) if own[0] else ("", "")
        response = {"group": group_name, "version": version, "kind": own[2]}
    return {"subresource": subresource, "responseKind": response, "verbs": list(SUBRESOURCE_VERBS[subresource])}
