"""The signatures of a SavedModel, read from its `saved_model.pb`: no graph is built and no code is run for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import Malformed
from inferplane.inference.tensorflow import tensorflow_serving_pb2 as pb

DEFAULT = "serving_default"
"""The signature of a request that names none."""

SERVE = "serve"
"""The tag of a graph that is meant for serving."""


DATATYPES: dict[int, Datatype] = {
    1: Datatype.FP32,
    2: Datatype.FP64,
    3: Datatype.INT32,
    4: Datatype.UINT8,
    5: Datatype.INT16,
    6: Datatype.INT8,
    7: Datatype.BYTES,
    9: Datatype.INT64,
    10: Datatype.BOOL,
    14: Datatype.BF16,
    17: Datatype.UINT16,
    19: Datatype.FP16,
    22: Datatype.UINT32,
    23: Datatype.UINT64,
}
"""TensorFlow's numbers of types (tensorflow/core/framework/types.proto), those that a request can carry."""

NAMES: dict[int, str] = {
    0: "DT_INVALID",
    1: "DT_FLOAT",
    2: "DT_DOUBLE",
    3: "DT_INT32",
    4: "DT_UINT8",
    5: "DT_INT16",
    6: "DT_INT8",
    7: "DT_STRING",
    8: "DT_COMPLEX64",
    9: "DT_INT64",
    10: "DT_BOOL",
    11: "DT_QINT8",
    12: "DT_QUINT8",
    13: "DT_QINT32",
    14: "DT_BFLOAT16",
    15: "DT_QINT16",
    16: "DT_QUINT16",
    17: "DT_UINT16",
    18: "DT_COMPLEX128",
    19: "DT_HALF",
    20: "DT_RESOURCE",
    21: "DT_VARIANT",
    22: "DT_UINT32",
    23: "DT_UINT64",
}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """`dtype` is TensorFlow's number. -1 in `shape` is any size; None: of any number of dimensions."""

    name: str
    dtype: int
    shape: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Signature:
    """A function of the model, by name."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]

    @property
    def untold(self) -> list[str]:
        """Its tensors whose type no request can carry."""
        both = {**self.inputs, **self.outputs}
        return [f"{spec.name} ({type_name(spec.dtype)})" for spec in both.values() if spec.dtype not in DATATYPES]


@dataclass(frozen=True, slots=True)
class Signatures:
    """Of one graph. `tags` say what it is for; `library` is the version of TensorFlow that wrote it."""

    tags: tuple[str, ...]
    library: str
    by_name: Mapping[str, Signature]
    definitions: pb.SignatureDefMap


def read(content: bytes) -> Signatures:
    """Those of the graph for serving, else of the only one. Malformed for a file that is none, or cut."""
    try:
        model = pb.SavedModel.FromString(content)
    except DecodeError as error:
        raise Malformed(f"not the file of a SavedModel, or cut: {error}") from error
    graphs = list(model.meta_graphs)
    serving = [graph for graph in graphs if SERVE in graph.meta_info_def.tags]
    if not serving and len(graphs) != 1:
        tags = "; ".join(",".join(graph.meta_info_def.tags) for graph in graphs)
        raise Malformed(f"no graph with the tag {SERVE}: the file has {f'graphs with {tags}' if graphs else 'none'}")
    return _signatures((serving or graphs)[0])


def _signatures(graph: pb.MetaGraphDef) -> Signatures:
    # TensorFlow keeps functions of its own among them.
    own = {name: one for name, one in graph.signature_def.items() if not name.startswith("__")}
    definitions = pb.SignatureDefMap()
    for name, one in own.items():
        definitions.signature_def[name].CopyFrom(one)
    about = graph.meta_info_def
    found = {name: _signature(name, one) for name, one in sorted(own.items())}
    return Signatures(tuple(about.tags), about.tensorflow_version, found, definitions)


def _signature(name: str, one: pb.SignatureDef) -> Signature:
    return Signature(name, _specs(one.inputs), _specs(one.outputs))


def _specs(tensors: "Mapping[str, pb.TensorInfo]") -> dict[str, TensorSpec]:
    return {name: TensorSpec(name, one.dtype, _shape(one.tensor_shape)) for name, one in sorted(tensors.items())}


def _shape(shape: pb.TensorShape) -> tuple[int, ...] | None:
    return None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)


def type_name(dtype: int) -> str:
    return NAMES.get(dtype, f"type {dtype}")
