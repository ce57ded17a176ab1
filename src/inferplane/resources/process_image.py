"""ProcessImage (`inferplane.dev/v1alpha1`, cluster-wide): what an image is on a machine without a container engine.

A node looks a container's `image` up in the table that these objects make, and gets a command or a Python entry point,
the packages it needs and the modules that a zygote imports ahead. `process_images` are the images known out of the box.
An image's tag may choose the version of the library that it is about, as `runtimeVersion` of an InferenceService does.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.core import EnvVar
from inferplane.resources.meta import ObjectMeta, View


class Companions(View, frozen=True, kw_only=True):
    """`requirements` of an environment that has a version of the library that is among `versions` (PEP 440: `<1.3`)."""

    versions: str
    requirements: list[str]


class Choice(View, frozen=True, kw_only=True):
    """`requirements` of an environment for containers whose `variable` has that value."""

    variable: str
    value: str
    requirements: list[str]


class ProcessImageSpec(View, frozen=True, kw_only=True):
    """`entrypoint` ("module:function", called in a fork) or `command` (executed); `args` precede the container's own.

    `images` are patterns of repository names, see `matches`. `stands_in_for` names programs: where a machine has not
    the one that is the command of a container of the image, this runs instead, with the rest of that command.
    `requirements` are the packages that the process needs: where the platform's own environment does not have them,
    the node builds one that does. `library` is the package whose version a tag such as `1.4.2` means; `companions`
    keep what that library needs at versions of its time; `choices` are for an image with more in it than one container
    uses. A machine that has `program` on its PATH needs none of these.
    `preload` names modules, or `module:function` to call once they are imported. With `on_demand` the zygote starts
    with the first container of the image, not with the node.
    """

    images: list[str] = []
    stands_in_for: list[str] = []
    entrypoint: str = ""
    command: list[str] = []
    args: list[str] = []
    env: list[EnvVar] = []
    requirements: list[str] = []
    library: str = ""
    companions: list[Companions] = []
    choices: list[Choice] = []
    program: str = ""
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


_VERSION_TAG = re.compile(r"v?([1-9]\d*(?:\.\d+){0,2})(?:[-+.].*)?")


def version_of(image: str) -> str:
    """The library version that the image's tag means: `kserve/sklearnserver:v1.5.2` → `1.5.2`; "" for none.

    Tags of KServe's own releases (`v0.15.2`), `latest` and digests choose no version of the library inside.
    """
    name = image.partition("@")[0].rpartition("/")[2]
    found = _VERSION_TAG.fullmatch(name.partition(":")[2])
    return found[1] if found is not None else ""


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
        _model_server("kserve-sklearnserver", "sklearnserver", "sklearn", "scikit-learn", on_demand=False),
        _model_server("kserve-xgbserver", "xgbserver", "xgboost", "xgboost-cpu"),
        _model_server("kserve-lgbserver", "lgbserver", "lightgbm", "lightgbm"),
        _model_server("inferplane-onnxserver", "onnxserver", "onnx", "onnxruntime"),
        _model_server("inferplane-torchserver", "torchserver", "pytorch", "torch"),
        # KServe's runtime does not say where the model is: its server knows.
        _model_server(
            "kserve-huggingfaceserver", "huggingfaceserver", "huggingface", "transformers", "--model_dir=/mnt/models"
        ),
        _model_server("inferplane-mlflowserver", "mlflowserver", "mlflow", "mlflow-skinny"),
        _model_server("kserve-pmmlserver", "pmmlserver", "pmml", "jpmml-evaluator"),
        _model_server("kserve-paddleserver", "paddleserver", "paddle", "paddlepaddle"),
        _predictive_server(),
        _image(
            "kserve-storage-initializer",
            images=["kserve/storage-initializer", "inferplane/storage-initializer"],
            entrypoint="inferplane.assembly.storage_initializer:main",
            preload=["inferplane.assembly.storage_initializer", "inferplane.assembly.storage_initializer:warm"],
        ),
        _image(
            "kserve-router",
            images=["kserve/router", "inferplane/router"],
            entrypoint="inferplane.assembly.router:main",
            preload=["inferplane.assembly.router", "inferplane.assembly.router:warm"],
            announcesReadiness=True,
            onDemand=True,
        ),
        _image(
            "kserve-agent",
            images=["kserve/agent", "inferplane/agent"],
            entrypoint="inferplane.assembly.agent:main",
            preload=["inferplane.assembly.agent"],
            onDemand=True,
        ),
        _explainer("kserve-art-explainer", "art", "kserve/art-explainer", "inferplane/art-explainer"),
        # It reads models of all of these.
        _explainer(
            "inferplane-shap-explainer", "shap", "inferplane/shap-explainer", extras=",sklearn,xgboost,lightgbm"
        ),
        _explainer("inferplane-lime-explainer", "lime", "inferplane/lime-explainer"),
        _mlserver(),
        # TensorFlow reads what older ones saved, so no tag of the image chooses a version of it.
        _image(
            "tensorflow-serving",
            images=["tensorflow/serving"],
            standsInFor=["tensorflow_model_server"],
            entrypoint="inferplane.assembly.tensorflow_serving:main",
            env=[{"name": "TF_CPP_MIN_LOG_LEVEL", "value": "2"}],
            requirements=["inferplane[tensorflow]"],
            preload=["inferplane.assembly.warming:tensorflow"],
            announcesReadiness=True,
            onDemand=True,
        ),
        # TorchServe's own image has TorchServe, PyTorch and what its handlers for images need, and Java.
        _image(
            "torchserve",
            images=["pytorch/torchserve-kfs", "pytorch/torchserve"],
            entrypoint="inferplane.assembly.torchserve:main",
            requirements=["inferplane[torchserve]"],
            preload=["inferplane.assembly.torchserve"],
            announcesReadiness=True,
            onDemand=True,
        ),
        _image(
            "triton",
            images=["nvidia/tritonserver"],
            entrypoint="inferplane.assembly.triton:main",
            program="tritonserver",
            requirements=["inferplane[triton]"],
            preload=["inferplane.assembly.triton"],
            onDemand=True,
        ),
    ]


_MLSERVER = {
    "mlserver_sklearn.SKLearnModel": "mlserver-sklearn",
    "mlserver_xgboost.XGBoostModel": "mlserver-xgboost",
    "mlserver_lightgbm.LightGBMModel": "mlserver-lightgbm",
    "mlserver_mlflow.MLflowRuntime": "mlserver-mlflow",
}


def _mlserver() -> JsonObject:
    """Its image holds the runtimes of all formats; an environment that of the one that the container is told of."""
    choices: list[Json] = [
        {"variable": "MLSERVER_MODEL_IMPLEMENTATION", "value": implementation, "requirements": [package]}
        for implementation, package in _MLSERVER.items()
    ]
    return _image(
        "mlserver",
        images=["seldonio/mlserver"],
        command=["mlserver", "start", "/mnt/models"],
        env=[{"name": "MLSERVER_HOST", "value": "$(POD_IP)"}],
        # MLServer asks uvloop for a policy of event loops, which later ones refuse to give.
        requirements=["mlserver", "uvloop<0.22"],
        library="mlserver",
        choices=choices,
    )


# What was current when these versions of scikit-learn came out: they say no upper bound of their own, and the numpy and
# scipy of today are not what they were tested with (1.3 and older do not even import under numpy 2).
_COMPANIONS: dict[str, list[tuple[str, list[str]]]] = {
    "scikit-learn": [
        ("<1.4", ["numpy<2", "scipy<1.12"]),
        ("==1.4.*", ["numpy<2.1", "scipy<1.14"]),
        ("==1.5.*", ["numpy<2.2", "scipy<1.15"]),
        ("==1.6.*", ["numpy<2.3", "scipy<1.16"]),
        ("==1.7.*", ["numpy<2.4", "scipy<1.17"]),
    ]
}


def _model_server(name: str, image: str, format: str, library: str, *args: str, on_demand: bool = True) -> JsonObject:
    """Our model server for one format, with further `args`.

    A zygote that is not on demand takes 70 to 180 MB while it is idle.
    """
    companions: list[Json] = [
        {"versions": versions, "requirements": [*requirements]}
        for versions, requirements in _COMPANIONS.get(library, [])
    ]
    return _image(
        name,
        images=[f"kserve/{image}", f"inferplane/{image}"],
        entrypoint="inferplane.assembly.model_server:main",
        args=[f"--format={format}", *args],
        requirements=[f"inferplane[{format}]"],
        library=library,
        **({"companions": companions} if companions else {}),
        preload=[f"inferplane.assembly.warming:{format}"],
        announcesReadiness=True,
        **({"onDemand": True} if on_demand else {}),
    )


def _predictive_server() -> JsonObject:
    """KServe's server of three formats, of which `--framework` names the one: ours has them all in one environment."""
    formats = ("sklearn", "xgboost", "lightgbm")
    return _image(
        "kserve-predictiveserver",
        images=["kserve/predictiveserver", "inferplane/predictiveserver"],
        entrypoint="inferplane.assembly.model_server:main",
        requirements=[f"inferplane[{','.join(formats)}]"],
        preload=[f"inferplane.assembly.warming:{one}" for one in formats],
        announcesReadiness=True,
        onDemand=True,
    )


def _explainer(name: str, explainer: str, *images: str, extras: str = "") -> JsonObject:
    return _image(
        name,
        images=[*images],
        entrypoint="inferplane.assembly.explainer:main",
        args=[f"--explainer={explainer}", "--model_dir=/mnt/models"],
        requirements=[f"inferplane[{explainer}{extras}]"],
        preload=["inferplane.assembly.explainer", f"inferplane.dataplane.explainers.{explainer}"],
        announcesReadiness=True,
        onDemand=True,
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
            "standsInFor": {
                **texts,
                "description": "Programs, such as tensorflow_model_server: a container whose command is one that the "
                "node has not is run as this image says.",
            },
            "entrypoint": {
                "type": "string",
                "pattern": r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
                "description": "module:function, called with the container's args in a fork of the image's zygote.",
            },
            "command": {**texts, "description": "The program to execute and its first arguments."},
            "args": {**texts, "description": "Arguments that come before the container's own."},
            "env": {**env, "description": "Variables that the container's own may override."},
            "requirements": {
                **texts,
                "description": "Packages that the process needs, as pip takes them; installed into an environment of "
                "their own where the platform's does not have them.",
            },
            "library": {
                "type": "string",
                "description": "The package whose version a tag of the image means: kserve/sklearnserver:1.4.2.",
            },
            "companions": _companions_schema(texts),
            "choices": _choices_schema(texts),
            "program": {
                "type": "string",
                "description": "A program that makes the requirements needless where it is on the node's PATH.",
            },
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


def _companions_schema(texts: JsonObject) -> JsonObject:
    return {
        "type": "array",
        "description": "Further requirements of environments with certain versions of the library.",
        "items": {
            "type": "object",
            "required": ["versions", "requirements"],
            "properties": {
                "versions": {"type": "string", "description": "Versions of the library, such as <1.3 or ==1.4.*"},
                "requirements": {**texts},
            },
        },
    }


def _choices_schema(texts: JsonObject) -> JsonObject:
    return {
        "type": "array",
        "description": "Further requirements of containers with a certain value of a variable.",
        "items": {
            "type": "object",
            "required": ["variable", "value", "requirements"],
            "properties": {
                "variable": {"type": "string"},
                "value": {"type": "string"},
                "requirements": {**texts},
            },
        },
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
