"""SavedModels in a directory: which versions there are, what their signatures are, and how they are loaded and run.

A model's directory has a directory a version, named by a number (`1/saved_model.pb`); one that is a SavedModel itself
is version 1. What its file tells is read before TensorFlow loads it, so that most mistakes are told in our own words.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InferenceError, InvalidInput, Malformed, ModelLoadError, ModelMissingError
from inferplane.inference.tensorflow import signatures
from inferplane.inference.tensorflow.signatures import DATATYPES, Signature, Signatures
from inferplane.inference.tensorflow.versions import Versions
from inferplane.inference.tensors import Array

FILE = "saved_model.pb"
_KERAS = (".keras", ".h5", ".hdf5")
_LISTED = 10

LIBRARY = f"TensorFlow {tf.__version__}"


@dataclass(frozen=True, slots=True)
class SavedModel:
    """One version, loaded. `functions` run the signatures that requests can carry."""

    version: int
    directory: Path
    signatures: Signatures
    functions: "Mapping[str, tf.types.experimental.ConcreteFunction]"
    owner: object
    """What holds the variables: a function alone does not."""

    def run(self, signature: Signature, feeds: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
        """The wanted outputs by name, all where it is empty. InvalidInput when the inputs do not suit the model."""
        try:
            given = {name: _tensor(values, signature.inputs[name].dtype) for name, values in feeds.items()}
            found = self.functions[signature.name](**given)
            return {name: _array(found[name]) for name in wanted or signature.outputs}
        except _INPUT as error:
            raise InvalidInput(reason(error)) from error
        except Exception as error:
            raise InferenceError(reason(error)) from error


# What TensorFlow calls InvalidArgument is about the values of a request; loading has tried all else.
_INPUT = (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError, ValueError)


def _tensor(values: Array, dtype: int) -> "tf.Tensor":
    return tf.constant(values, dtype=tf.dtypes.as_dtype(dtype))


def _array(tensor: "tf.Tensor") -> Array:
    found: Array = tensor.numpy()
    if found.dtype.kind == "O" or tensor.dtype == tf.string:
        made = np.empty(found.shape if isinstance(found, np.ndarray) else (), dtype=object)
        made[...] = found
        return made
    return found.astype(np.float32) if tensor.dtype == tf.bfloat16 else found


def found_in(directory: Path, versions: Versions) -> dict[int, Path]:
    """The versions to serve and where they are, the highest first. Raises ModelMissingError, ModelLoadError."""
    there = versions_in(directory)
    if not there:
        raise ModelMissingError(_what_is_there(directory), fix=_advice(directory))
    chosen = versions.policy.choose(there)
    lacking = [version for version in versions.policy.specific if version not in there]
    if lacking or not chosen:
        raise ModelMissingError(f"{directory}: no version {_listed(lacking)}; there are {_listed(sorted(there))}")
    for label, version in versions.labels.items():
        if version not in chosen:
            raise ModelLoadError(
                f"{directory}: label {label} means version {version}, served are {_listed(chosen)}",
                fix="have model_version_policy serve it, or change the label",
            )
    return {version: there[version] for version in chosen}


def versions_in(directory: Path) -> dict[int, Path]:
    """SavedModels by version. A directory with a number and no SavedModel is none: TensorFlow Serving waits for it."""
    try:
        entries = sorted(directory.iterdir())
    except FileNotFoundError:
        raise ModelMissingError(f"model directory {directory} does not exist", fix="check --model_base_path") from None
    except OSError as error:
        raise ModelMissingError(f"model directory {directory} cannot be read: {error.strerror}") from error
    if (directory / FILE).is_file():
        return {1: directory}
    numbered = [entry for entry in entries if entry.name.isascii() and entry.name.isdecimal()]
    return {int(entry.name): entry for entry in numbered if (entry / FILE).is_file()}


def _what_is_there(directory: Path) -> str:
    names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in sorted(directory.iterdir())]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    looked = f"looked for {FILE} in it or in directories named by numbers (1/{FILE})"
    return f"no SavedModel in {directory}: {looked}, found {', '.join(names[:_LISTED]) or 'nothing'}{more}"


def _advice(directory: Path) -> str:
    files = [entry for entry in [*directory.iterdir(), *directory.glob("*/*")] if entry.is_file()]
    for entry in files:
        if entry.suffix in _KERAS:
            return (
                f"{entry.name} is a Keras file: keras.models.load_model({entry.name!r}).export('1') makes a SavedModel"
            )
        if entry.name == "saved_model.pbtxt":
            return "saved_model.pbtxt is in text form: load it with tf.saved_model.load and save it again"
        if entry.suffix == ".tflite":
            return (
                f"{entry.name} is a TensorFlow Lite file: save the model that it was made of with tf.saved_model.save"
            )
        if entry.suffix == ".index" or entry.name == "checkpoint":
            return "a checkpoint has no graph: restore it into its model, and save that with tf.saved_model.save"
    return "save the model with tf.saved_model.save(model, '1', signatures=…), or model.export('1') in Keras"


def _listed(versions: Sequence[int]) -> str:
    return ", ".join(map(str, versions)) or "none"


def read(directory: Path) -> Signatures:
    """What the file in it tells. Raises ModelLoadError, for one without a signature that requests can use too."""
    file = directory / FILE
    try:
        found = signatures.read(file.read_bytes())
    except OSError as error:
        raise ModelLoadError(f"{file}: cannot be read: {error.strerror}", fix="check its permissions") from error
    except Malformed as error:
        raise ModelLoadError(f"{file}: {error}", fix="copy the model anew") from error
    _check_signatures(file, found)
    return found


def _check_signatures(file: Path, found: Signatures) -> None:
    fix = "save it with tf.saved_model.save(model, '1', signatures={'serving_default': function})"
    if not found.by_name:
        raise ModelLoadError(f"{file}: the model has no signature, nothing that a request could call", fix=fix)
    usable = [name for name, one in found.by_name.items() if not one.untold]
    if not usable:
        told = "; ".join(f"{name} has {', '.join(one.untold)}" for name, one in found.by_name.items())
        raise ModelLoadError(f"{file}: no signature that a request can carry: {told}", fix=fix)


def load(version: int, directory: Path) -> SavedModel:
    """Raises ModelLoadError."""
    found = read(directory)
    _check_variables(directory)
    try:
        owner = tf.saved_model.load(str(directory), tags=list(found.tags) or None)
        functions = {name: owner.signatures[name] for name, one in found.by_name.items() if not one.untold}
    except MemoryError:
        raise
    except Exception as error:
        raise _not_loaded(directory, found, error) from error
    return SavedModel(version, directory, found, functions, owner)


def _check_variables(directory: Path) -> None:
    """An index without its data, or the other way round, is a copy that was cut."""
    names = [entry.name for entry in (directory / "variables").glob("variables.*")]
    has_index, has_data = "variables.index" in names, any(".data-" in name for name in names)
    if has_index != has_data:
        lacking = "variables.data-…" if has_index else "variables.index"
        raise ModelLoadError(
            f"{directory / 'variables'}: {lacking} is missing, found {', '.join(names)}", fix="copy the model anew"
        )


_OP = re.compile(r"Op type not registered '([^']+)'")


def _not_loaded(directory: Path, found: Signatures, error: Exception) -> ModelLoadError:
    told = reason(error)
    if operation := _OP.search(told):
        return ModelLoadError(
            f"{directory}: the model needs the operation {operation[1]}, which {LIBRARY} has not "
            f"(it was saved by {found.library or 'a version that it does not tell'})",
            fix="save the model without it, or serve it in an image whose TensorFlow has it",
        )
    if any(words in told for words in _CUT):
        return ModelLoadError(f"{directory / 'variables'}: cut, or not those of this model: {told}", fix=_COPY)
    return ModelLoadError(f"{directory}: cannot be loaded by {LIBRARY}: {told}", fix=_COPY)


# TensorFlow raises errors of several kinds for these, some of them Python's own.
_CUT = ("less bytes than requested", "Unable to read", "checksum", "corrupt", "Data loss", "not found in checkpoint")

_COPY = "copy the model anew, or save it with this version of TensorFlow"


def reason(error: Exception) -> str:
    """TensorFlow's message in one line, without the graph's nodes and the stacks of where they were made."""
    text = error.message if isinstance(error, tf.errors.OpError) else str(error)
    lines = [line.strip() for line in text.splitlines()]
    told = " ".join(line for line in lines if line and not line.startswith(_WHERE))
    return re.sub(r"\s*\[Op:\w+\].*$", "", told)[:_LONGEST].strip() or type(error).__name__


_WHERE = ("Graph execution error", "Detected at node", "<stack traces", 'File "', "[[", "(most recent call last)")
_LONGEST = 400


def datatype_of(dtype: int) -> Datatype | None:
    return DATATYPES.get(dtype)
