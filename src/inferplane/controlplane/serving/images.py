"""Image tags: `runtimeVersion`, and the GPU and CPU variants that some servers publish (KServe's rules)."""

from inferplane.kernel.json import JsonObject, object_at

_BY_RUNTIME = {
    "kserve-mlserver": "mlserver",
    "kserve-torchserve": "torchserve",
    "kserve-tritonserver": "tritonserver",
    "kserve-tensorflow-serving": "tensorflow-serving",
    "kserve-huggingfaceserver": "huggingfaceserver",
    "kserve-vllmserver": "vllmserver",
}
_GPU_TAGGED = frozenset({"tensorflow-serving", "torchserve", "huggingfaceserver"})


def server_type(annotation: str | None, runtime: str) -> str:
    """The annotation `serving.kserve.io/server-type` of the runtime wins over what its name says."""
    return annotation or _BY_RUNTIME.get(runtime, "")


def tagged(image: str, *, version: str | None, server: str, gpu: bool) -> str:
    if "@sha256:" in image:
        return image
    repository, tag = split(image)
    if version:
        return f"{repository}:{version}"
    if not tag:
        return image
    if gpu and server in _GPU_TAGGED and not tag.endswith("-gpu"):
        return f"{repository}:{tag}-gpu"
    if not gpu and server == "vllmserver" and not repository.endswith("-cpu"):
        return f"{repository}-cpu:{tag}"
    return image


def split(image: str) -> tuple[str, str]:
    """Repository and tag; a colon before the last slash is a registry's port."""
    head, colon, tag = image.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (image, "")


def wants_gpu(container: JsonObject) -> bool:
    limits = object_at(container, "resources", "limits")
    return any(name == "nvidia.com/gpu" or name.startswith("nvidia.com/mig") for name in limits)
