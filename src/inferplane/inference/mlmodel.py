"""What an MLflow model says of itself: its `MLmodel` and the `requirements.txt` beside it. Nothing is imported or run.

`MLmodel` is YAML: `flavors` by name, each with the version of its library under a key of its own
(https://mlflow.org/docs/latest/ml/model/#mlmodel-file). `requirements.txt` is what MLflow found imported when it saved.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from inferplane.kernel.json import Json

FILE = "MLmodel"
REQUIREMENTS = "requirements.txt"
PYFUNC = "python_function"


@dataclass(frozen=True, slots=True)
class Flavor:
    """`module` is what is imported, `distribution` what is installed, `key` where `MLmodel` has the version."""

    module: str
    distribution: str
    key: str


FLAVORS: Mapping[str, Flavor] = {
    "catboost": Flavor("catboost", "catboost", "catboost_version"),
    "lightgbm": Flavor("lightgbm", "lightgbm", "lgb_version"),
    "onnx": Flavor("onnx", "onnx", "onnx_version"),
    "prophet": Flavor("prophet", "prophet", "prophet_version"),
    "pytorch": Flavor("torch", "torch", "pytorch_version"),
    "sentence_transformers": Flavor("sentence_transformers", "sentence-transformers", "sentence_transformers_version"),
    "sklearn": Flavor("sklearn", "scikit-learn", "sklearn_version"),
    "spacy": Flavor("spacy", "spacy", "spacy_version"),
    "statsmodels": Flavor("statsmodels", "statsmodels", "statsmodels_version"),
    "tensorflow": Flavor("tensorflow", "tensorflow", "tensorflow_version"),
    "transformers": Flavor("transformers", "transformers", "transformers_version"),
    "xgboost": Flavor("xgboost", "xgboost", "xgb_version"),
}

OURS = frozenset({"inferplane", "mlflow", "mlflow-skinny"})
"""What the server brings; a model's record of these says nothing of what else it needs."""
# The same library without NVIDIA's, which its wheel for Linux brings since 3.0.
_LIGHTER = {"xgboost": "xgboost-cpu"}
_LIGHTER_SINCE = Version("3.0")


class NotAnMLmodel(ValueError):
    """The file has not the form of an `MLmodel`; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class MLmodel:
    """`flavors` are those in the file; `libraries` the versions that it records, by distribution."""

    flavors: tuple[str, ...]
    libraries: Mapping[str, str] = field(default_factory=dict)
    loader: str = ""


def read(text: str) -> MLmodel:
    """Raises NotAnMLmodel."""
    try:
        found: Json = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise NotAnMLmodel(f"not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise NotAnMLmodel(f"expected a mapping with flavors, got {type(found).__name__}")
    flavors = found.get("flavors")
    if not isinstance(flavors, dict):
        raise NotAnMLmodel(f"expected flavors, found {', '.join(map(str, found)) or 'nothing'}")
    said = {name: one if isinstance(one, dict) else {} for name, one in flavors.items()}
    loader = said.get(PYFUNC, {}).get("loader_module")
    return MLmodel(tuple(said), dict(_libraries(said)), loader if isinstance(loader, str) else "")


def _libraries(flavors: Mapping[str, Mapping[str, Json]]) -> Iterator[tuple[str, str]]:
    for name, said in flavors.items():
        known = FLAVORS.get(name)
        version = None if known is None else said.get(known.key)
        if known is not None and isinstance(version, str):
            yield known.distribution, version


def requirements(text: str) -> list[Requirement]:
    """The packages that a `requirements.txt` names; options, paths and what pip alone understands are left out."""
    found = []
    for line in text.splitlines():
        try:
            one = Requirement(line.partition(" #")[0].partition(" --")[0].strip())
        except InvalidRequirement:
            continue
        if one.marker is None or one.marker.evaluate():
            found.append(one)
    return found


def needed(listed: Iterable[Requirement], libraries: Mapping[str, str], *, pinned: bool = True) -> list[str]:
    """What an environment for the model has to have beside MLflow, as lines that pip takes, by name.

    `pinned`: versions of the same minor release as was recorded; patch releases are free.
    """
    wanted = {canonicalize_name(name): Requirement(f"{name}=={version}") for name, version in libraries.items()}
    wanted |= {canonicalize_name(one.name): one for one in listed}
    return sorted(_line(one, pinned=pinned) for name, one in wanted.items() if name not in OURS)


def _line(one: Requirement, *, pinned: bool) -> str:
    version = recorded_version(one)
    name = canonicalize_name(one.name)
    if one.url is not None:
        return str(one)
    if name in _LIGHTER and (version is None or version >= _LIGHTER_SINCE):
        name = canonicalize_name(_LIGHTER[name])
    extras = f"[{','.join(sorted(one.extras))}]" if one.extras else ""
    if not pinned:
        return f"{name}{extras}"
    return f"{name}{extras}{_minor(version) if version is not None else one.specifier}"


def recorded_version(one: Requirement) -> Version | None:
    """The version that `==` asks for, without a local part (`2.5.0+cpu` is PyPI's 2.5.0)."""
    exact = [spec.version for spec in one.specifier if spec.operator == "=="]
    try:
        return Version(Version(exact[0]).public) if len(exact) == 1 and "*" not in exact[0] else None
    except InvalidVersion:
        return None


def _minor(version: Version) -> str:
    release = (*version.release, 0)[:2]
    return f"=={'.'.join(map(str, release))}.*" if not version.is_prerelease else f"=={version}"


def names(distribution: str) -> tuple[str, ...]:
    """The distributions that a library may be installed as: its own name, and that of a lighter build."""
    name = canonicalize_name(distribution)
    return (name, _LIGHTER[name]) if name in _LIGHTER else (name,)
