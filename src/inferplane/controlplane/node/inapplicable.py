"""Fields of a pod that have no effect here, because its containers are processes of this machine (pure).

They are accepted, so that a cluster's YAML runs unchanged, and named once in an event on the pod. What the API server
fills in by default, and what asks for nothing, is not named.
"""

from collections.abc import Iterator

from inferplane.resources.core import Container, Opaque, Pod, PodSpec, Quantities

_POD = (
    "affinity",
    "topology_spread_constraints",
    "runtime_class_name",
    "host_network",
    "host_pid",
    "host_ipc",
    "host_aliases",
    "dns_config",
    "image_pull_secrets",
    "share_process_namespace",
    "priority_class_name",
)
_CONTAINER = ("volume_devices", "stdin", "tty")
# The ends of paths that have an effect where the machine can do so.
_DONE = {
    "users": (".runAsUser", ".runAsGroup", ".fsGroup", ".supplementalGroups"),
    "cpu": (".resources.limits.cpu",),
}
# Members of securityContext that ask for something; the others forbid what a process of ours can't do or does not.
_SECURITY = (
    "runAsUser",
    "runAsGroup",
    "fsGroup",
    "supplementalGroups",
    "readOnlyRootFilesystem",
    "privileged",
    "seLinuxOptions",
    "appArmorProfile",
    "sysctls",
    "procMount",
)


def inapplicable(pod: Pod, held: frozenset[str] = frozenset()) -> list[str]:
    """Paths such as `spec.affinity`, in the order of the spec. `held`: what this machine does (`Confinement.held`)."""
    inits = _of_containers("initContainers", pod.spec.init_containers)
    found = [*_of_pod(pod.spec), *inits, *_of_containers("containers", pod.spec.containers)]
    done = {end for one in held for end in _DONE[one]}
    return [path for path in found if not path.endswith(tuple(done))] if done else found


def sentence(fields: list[str]) -> str:
    return f"accepted, without effect on one machine, where containers are processes: {', '.join(fields)}"


def _of_pod(spec: PodSpec) -> Iterator[str]:
    for name in _POD:
        if getattr(spec, name):
            yield f"spec.{_camel(name)}"
    yield from _security("spec", spec.security_context)
    if any(volume.empty_dir is not None and volume.empty_dir.medium for volume in spec.volumes):
        yield "spec.volumes[].emptyDir.medium"


def _of_containers(which: str, containers: list[Container]) -> Iterator[str]:
    for index, container in enumerate(containers):
        place = f"spec.{which}[{index}]"
        for name in _CONTAINER:
            if getattr(container, name):
                yield f"{place}.{_camel(name)}"
        yield from _security(place, container.security_context)
        if "cpu" in container.resources.limits and not _by_default(container.resources.limits):
            yield f"{place}.resources.limits.cpu"
        if any(mount.read_only and not _of_the_api(mount.mount_path) for mount in container.volume_mounts):
            yield f"{place}.volumeMounts[].readOnly"


def _security(place: str, context: Opaque) -> Iterator[str]:
    yield from (f"{place}.securityContext.{name}" for name in _SECURITY if context.get(name))
    capabilities = context.get("capabilities")
    if isinstance(capabilities, dict) and capabilities.get("add"):
        yield f"{place}.securityContext.capabilities.add"


def _by_default(limits: Quantities) -> bool:
    """What KServe puts on every container; naming it on each pod would tell nobody anything."""
    return limits.get("cpu") in ("1", 1)


def _of_the_api(path: str) -> bool:
    """Mounted into every pod by the API server."""
    return path.startswith(("/var/run/secrets/kubernetes.io/", "/mnt/models"))


_SPECIAL = {"host_pid": "hostPID", "host_ipc": "hostIPC"}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return _SPECIAL.get(name) or head + "".join(word.capitalize() for word in rest)
