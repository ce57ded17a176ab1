"""ProcessImage (`inferplane.dev/v1alpha1`, cluster-wide): what an image is on a machine without a container engine.

A node looks a container's `image` up in the table that these objects make, and gets a command or a Python entry point,
the packages it needs and the modules that a zygote imports ahead. `default_process_images` are the images known out of
the box.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.core import EnvVar
from inferplane.resources.meta import ObjectMeta, View


class ProcessImageSpec(View, frozen=True, kw_only=True):
    """`entrypoint` ("module:function", called in a fork) or `command` (executed); `args` precede the container's own.

    `images` are patterns of repository names, see `matches`. `requirements` are the packages to install when an import
    fails. `preload` names modules, or `module:function` to call once they are imported. With `on_demand` the zygote
    starts with the first container of the image, not with the node.
    """

    images: list[str] = []
    entrypoint: str = ""
    command: list[str] = []
    args: list[str] = []
    env: list[EnvVar] = []
    requirements: list[str] = []
    preload: list[str] = []
    announces_readiness: bool = False
    on_demand: bool = False


class ProcessImage(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: ProcessImageSpec = ProcessImageSpec()


def repository(image: str) -> str:
    """The image's name without tag and digest: `registry:5000/a/b:v1@sha256:…` → `registry:5000/a/b`."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def matches(pattern: str, image: str) -> bool:
    """Does the pattern (shell wildcards, segment by segment) fit the end of the image's repository?

    So `kserve/sklearnserver` fits `docker.io/kserve/sklearnserver:v0.15`, and `sklearnserver` fits that too.
    """
    wanted, have = pattern.split("/"), repository(image).split("/")
    if len(wanted) > len(have):
        return False
    return all(fnmatchcase(one, part) for part, one in zip(wanted, have[-len(wanted) :], strict=True))


def find(images: Iterable[ProcessImage], image: str) -> ProcessImage | None:
    """The entry with the most exact pattern that fits: more segments first, then more literal letters, then by name."""
    fitting = [
        (pattern.count("/"), sum(letter not in "*?[]" for letter in pattern), one.metadata.name, one)
        for one in images
        for pattern in one.spec.images
        if matches(pattern, image)
    ]
    return max(fitting, key=lambda found: found[:3])[3] if fitting else None


def process_images() -> list[JsonObject]:
    """The objects that a platform starts with."""
    return [
        _model_server("kserve-sklearnserver", "sklearnserver", "sklearn", on_demand=False),
        _model_server("kserve-xgbserver", "xgbserver", "xgboost"),
        _model_server("kserve-lgbserver", "lgbserver", "lightgbm"),
        _model_server("inferplane-onnxserver", "onnxserver", "onnx"),
        _image(
            "kserve-storage-initializer",
            images=["kserve/storage-initializer", "inferplane/storage-initializer"],
            entrypoint="inferplane.assembly.storage_initializer:main",
            preload=["inferplane.assembly.storage_initializer"],
        ),
    ]


def _model_server(name: str, image: str, format: str, *, on_demand: bool = True) -> JsonObject:
    """Our model server for one format. A zygote that is not on demand takes 70 to 180 MB while it is idle."""
    return _image(
        name,
        images=[f"kserve/{image}", f"inferplane/{image}"],
        entrypoint="inferplane.assembly.model_server:main",
        args=[f"--format={format}"],
        requirements=[f"inferplane[{format}]"],
        preload=[f"inferplane.assembly.warming:{format}"],
        announcesReadiness=True,
        **({"onDemand": True} if on_demand else {}),
    )


def crd() -> JsonObject:
    """The CustomResourceDefinition of ProcessImage."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "processimages.inferplane.dev"},
        "spec": {
            "group": "inferplane.dev",
            "scope": "Cluster",
            "names": {
                "kind": "ProcessImage",
                "listKind": "ProcessImageList",
                "plural": "processimages",
                "singular": "processimage",
            },
            "versions": [_version(_spec_schema())],
        },
    }


def _spec_schema() -> JsonObject:
    texts: JsonObject = {"type": "array", "items": {"type": "string"}}
    env: JsonObject = {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
        },
    }
    return {
        "type": "object",
        "required": ["images"],
        "properties": {
            "images": {
                **texts,
                "minItems": 1,
                "description": "Repository patterns, matched from the end: kserve/sklearnserver.",
            },
            "entrypoint": {
                "type": "string",
                "pattern": r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
                "description": "module:function, called with the container's args in a fork of the image's zygote.",
            },
            "command": {**texts, "description": "The program to execute and its first arguments."},
            "args": {**texts, "description": "Arguments that come before the container's own."},
            "env": {**env, "description": "Variables that the container's own may override."},
            "requirements": {**texts, "description": "Packages that the process needs, as pip takes them."},
            "preload": {
                **texts,
                "description": "Modules that the zygote imports, or module:function to call after that.",
            },
            "announcesReadiness": {
                "type": "boolean",
                "description": "The process writes to the pipe in INFERPLANE_READY_FD when it can serve.",
            },
            "onDemand": {
                "type": "boolean",
                "description": "The zygote starts with the first container of the image, not with the node.",
            },
        },
        "x-kubernetes-validations": [
            {
                "rule": "has(self.entrypoint) != has(self.command)",
                "message": "give either entrypoint or command",
            }
        ],
    }


def _version(spec: JsonObject) -> JsonObject:
    columns: list[Json] = [
        {"name": "Images", "type": "string", "jsonPath": ".spec.images"},
        {"name": "Entrypoint", "type": "string", "jsonPath": ".spec.entrypoint"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    return {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "additionalPrinterColumns": columns,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": "What a container image is on a machine without a container engine.",
                "required": ["spec"],
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": spec,
                },
            }
        },
    }


def _image(name: str, **spec: Json) -> JsonObject:
    return {
        "apiVersion": "inferplane.dev/v1alpha1",
        "kind": "ProcessImage",
        "metadata": {"name": name},
        "spec": {**spec},
    }
