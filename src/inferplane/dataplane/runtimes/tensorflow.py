"""TensorFlow SavedModels, in all their versions and signatures (`saved_models`), by TensorFlow Serving's rules.

V1, V2 and gRPC call the default signature of the highest version that is served. A V1 body may name another
(`signature_name`), a V2 request by a parameter of that name; TensorFlow Serving's own paths and services name versions
too (`inference.tensorflow`). Numbers are converted where no value changes by more than rounding; a text is its UTF-8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import tensorflow as tf

from inferplane.dataplane.runtimes import saved_models
from inferplane.dataplane.runtimes.options import DEFAULTS, RuntimeOptions
from inferplane.dataplane.runtimes.ports import Feeds, Port, PortModel, described, fed, fitted
from inferplane.dataplane.runtimes.saved_models import LIBRARY, SavedModel
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensorflow import examples, rest, signatures
from inferplane.inference.tensorflow.calls import Answered, Call, Method, State, UnknownLabel, UnknownVersion, Which
from inferplane.inference.tensorflow.signatures import Signature, Signatures, TensorSpec
from inferplane.inference.tensors import Array, InferRequest, TensorMetadata
from inferplane.kernel.json import Json


@dataclass(frozen=True, slots=True)
class _Work:
    """A call with its inputs in the types of the signature."""

    model: SavedModel
    signature: Signature
    feeds: Feeds
    wanted: Sequence[str]


class TensorFlowModel(PortModel):
    """`directory` holds the versions. After `load`, `takes` are the inputs of the default signature."""

    suffixes: ClassVar[Sequence[str]] = ()
    takes_arrays: ClassVar[bool] = True

    def __init__(self, name: str, directory: Path, options: RuntimeOptions = DEFAULTS) -> None:
        super().__init__(name)
        self.directory = directory
        self.options = options
        self.notes: list[str] = []
        self._versions: dict[int, SavedModel] = {}
        self._gives: Mapping[str, Port] = {}

    @property
    def library(self) -> str:
        return LIBRARY

    def load(self) -> bool:
        self.notes = [note for note in (_limit_threads(self.options.nthread),) if note]
        found = saved_models.found_in(self.directory, self.options.versions)
        self._versions = {version: saved_models.load(version, path) for version, path in found.items()}
        default = self._default()
        self.takes = {} if default is None else _ports(default.inputs)
        self._gives = {} if default is None else _ports(default.outputs)
        self.ready = True
        return True

    def stop(self) -> None:
        super().stop()
        self._versions = {}

    def get_input_types(self) -> Sequence[TensorMetadata]:
        return [port.metadata(Datatype.FP32) for port in self.takes.values()]

    def get_output_types(self) -> Sequence[TensorMetadata]:
        return [port.metadata(Datatype.FP32) for port in self._gives.values()]

    # TensorFlow Serving's view.

    @property
    def states(self) -> Mapping[int, State]:
        return dict.fromkeys(self._versions, State.AVAILABLE)

    def version_of(self, which: Which) -> int:
        version = which.version
        if which.label:
            labels = self.options.versions.labels
            version = labels.get(which.label)
            if version is None:
                raise UnknownLabel(which.label, sorted(labels))
        if version is None:
            return next(iter(self._versions))
        if version not in self._versions:
            raise UnknownVersion(self.name, version, list(self._versions))
        return version

    def signatures_of(self, version: int) -> Signatures:
        return self._versions[version].signatures

    # The way of a request.

    @property
    def joins_requests(self) -> bool:
        """Whether all inputs and outputs of the default signature have a first dimension of any size."""
        ports = [*self.takes.values(), *self._gives.values()]
        return bool(self.takes) and all(port.shape is not None and port.shape[:1] == (-1,) for port in ports)

    @property
    def is_exact(self) -> bool:
        """A graph does not tell whether it treats each row alone; the operator does, by setting a batch size."""
        return False

    def rows(self, payload: object) -> Any:
        """Inputs of the default signature by name, which may be joined with others; else all that its call needs."""
        asked = self._call(payload)
        model = self._versions[self.version_of(asked.which)]
        signature = _chosen(model, asked.signature)
        if asked.method is not Method.PREDICT:
            examples.check(signature, asked.method)
        feeds = _feeds(signature, asked)
        if model.version == next(iter(self._versions)) and signature.name == signatures.DEFAULT and not asked.wanted:
            return feeds
        return _Work(model, signature, feeds, _known(signature, asked.wanted))

    def predict_rows(self, rows: object) -> Feeds:
        if isinstance(rows, _Work):
            return rows.model.run(rows.signature, rows.feeds, rows.wanted)
        return self.run(cast(Feeds, rows))

    def run(self, feeds: Feeds) -> Feeds:
        model = next(iter(self._versions.values()))
        return model.run(_chosen(model, ""), feeds, ())

    def result(self, payload: object, predicted: Feeds) -> object:
        if isinstance(payload, InferRequest):
            return super().result(payload, predicted)
        asked = self._call(payload)
        if not isinstance(payload, Call):
            return rest.answer(asked, predicted)
        return Answered(self.name, self.version_of(asked.which), asked.signature or signatures.DEFAULT, predicted)

    def _call(self, payload: object) -> Call:
        if isinstance(payload, Call):
            return payload
        if isinstance(payload, InferRequest):
            return self._call_of_tensors(payload)
        return rest.call(payload, Which())

    def _call_of_tensors(self, request: InferRequest) -> Call:
        name = (request.parameters or {}).get("signature_name", "")
        given: dict[str, Array | Json] = {tensor.name: tensor.view() for tensor in request.inputs}
        if not given:
            raise InvalidInput("inputs: expected at least one")
        # V2: a sole input may have any name.
        sole = len(given) == 1 and (not name and len(self.takes) == 1)
        return Call(Method.PREDICT, signature=str(name), tensors={"": next(iter(given.values()))} if sole else given)

    def _default(self) -> Signature | None:
        found = next(iter(self._versions.values())).signatures.by_name.get(signatures.DEFAULT)
        return None if found is None or found.untold else found


def _limit_threads(nthread: int) -> str:
    """TensorFlow takes it before its first operation only: the first model of a process decides for all. What there is
    to say of it."""
    if tf.config.threading.get_intra_op_parallelism_threads() == nthread:
        return ""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(nthread)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return f"--nthread={nthread} comes too late: TensorFlow runs with other threads already"
    return ""


def _chosen(model: SavedModel, name: str) -> Signature:
    found = model.signatures.by_name.get(name or signatures.DEFAULT)
    if found is None:
        raise InvalidInput(
            f'Serving signature name: "{name or signatures.DEFAULT}" not found in signature def',
            fix=f"name one of {', '.join(model.signatures.by_name)}",
        )
    if found.untold:
        raise InvalidInput(f"signature {found.name}: no request can carry {', '.join(found.untold)}")
    return found


def _known(signature: Signature, wanted: Sequence[str]) -> Sequence[str]:
    unknown = [name for name in wanted if name not in signature.outputs]
    if unknown:
        raise InvalidInput(f"output {', '.join(unknown)}: signature {signature.name} gives {_names(signature.outputs)}")
    return wanted


def _names(specs: Mapping[str, TensorSpec]) -> str:
    return ", ".join(specs)


def _ports(specs: Mapping[str, TensorSpec]) -> dict[str, Port]:
    return {name: Port(name, saved_models.datatype_of(spec.dtype), spec.shape) for name, spec in specs.items()}


def _feeds(signature: Signature, asked: Call) -> Feeds:
    """What the call gives, as the signature wants it. InvalidInput names the input."""
    ports = _ports(signature.inputs)
    given, where = _given(ports, asked)
    unknown, missing = given.keys() - ports.keys(), ports.keys() - given.keys()
    if unknown or missing:
        told = [f"input {name}: the signature has none of that name" for name in sorted(unknown)]
        told += [f"input {name}: missing" for name in sorted(missing)]
        raise InvalidInput(f"{'; '.join(told)}; {signature.name} takes {described(ports) or 'nothing'}")
    return {name: _fed(port, given[name], where or f"input {name}") for name, port in ports.items()}


def _given(ports: Mapping[str, Port], asked: Call) -> "tuple[Mapping[str, Array | Json], str]":
    """Tensors by name, and what to call them where they came without a name."""
    if asked.examples:
        return {examples.INPUTS: cast("Json", list(asked.examples))}, "examples"
    if asked.rows is not None:
        plain = not rest.is_record(asked.rows[0])
        return rest.named(asked.rows, list(ports)), "instances" if plain else ""
    given = asked.tensors or {}
    if given.keys() == {""}:
        if len(ports) != 1:
            raise InvalidInput(f"inputs: the signature takes {described(ports) or 'nothing'}", fix="name the inputs")
        return {next(iter(ports)): given[""]}, "inputs"
    return given, ""


def _fed(port: Port, values: "Array | Json", where: str) -> Array:
    return (
        fitted(port, rest.strings(values, where), where)
        if port.datatype is Datatype.BYTES
        else fed(port, values, where)
    )
