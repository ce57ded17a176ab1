"""What a Paddle program takes and gives: names, types and shapes, which a predictor does not tell before its first run.

Two files have it: `.json`, Paddle 3's intermediate representation, read by Paddle itself; and `.pdmodel`, a protobuf
message (`framework.proto`) whose operators `feed` and `fetch` name the variables.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import paddle
from google.protobuf.message import DecodeError
from paddle.base.proto.framework_pb2 import ProgramDesc, VarType

from inferplane.dataplane.runtimes.ports import Port
from inferplane.dataplane.runtimes.single_file import one_line
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import ModelLoadError

Ports: TypeAlias = Mapping[str, Port]

OLD, NEW = ".pdmodel", ".json"

_TENSOR = VarType.DESCRIPTOR.fields_by_number[3].name
"""`lod_tensor`, and `dense_tensor` since Paddle 3.2."""

_DATATYPES = {
    "bool": Datatype.BOOL,
    "uint8": Datatype.UINT8,
    "int8": Datatype.INT8,
    "int16": Datatype.INT16,
    "int32": Datatype.INT32,
    "int64": Datatype.INT64,
    "fp16": Datatype.FP16,
    "fp32": Datatype.FP32,
    "fp64": Datatype.FP64,
    "float16": Datatype.FP16,
    "float32": Datatype.FP32,
    "float64": Datatype.FP64,
}


def described(file: Path) -> tuple[Ports, Ports]:
    """(inputs, outputs) by the predictor's names for them. ModelLoadError for a file that is no program."""
    try:
        return _of_message(file) if file.suffix == OLD else _of_representation(file)
    except ModelLoadError:
        raise
    except Exception as error:
        raise ModelLoadError(
            f"{file}: not a program of Paddle: {one_line(error)}",
            fix=f"save it anew with paddle.jit.save (this is paddlepaddle {paddle.__version__})",
        ) from error


def _of_message(file: Path) -> tuple[Ports, Ports]:
    program = ProgramDesc()
    try:
        program.ParseFromString(file.read_bytes())
    except DecodeError as error:
        raise ValueError("its protobuf message is cut off, or another's") from error
    if not program.blocks:
        raise ValueError("it has no block of operators")
    block = program.blocks[0]
    tensors = {one.name: getattr(one.type, _TENSOR).tensor for one in block.vars if one.type.HasField(_TENSOR)}
    fed = [one.outputs[0].arguments[0] for one in block.ops if one.type == "feed"]
    fetched = [one.inputs[0].arguments[0] for one in block.ops if one.type == "fetch"]

    def port(name: str) -> Port:
        tensor = tensors[name]
        return _port(file, name, VarType.Type.Name(tensor.data_type).lower(), tuple(tensor.dims))

    return {name: port(name) for name in fed}, {name: port(name) for name in fetched}


def _of_representation(file: Path) -> tuple[Ports, Ports]:
    program = paddle.static.Program()
    paddle.base.core.deserialize_pir_program(str(file), program)
    takes: dict[str, Port] = {}
    gives: dict[str, Port] = {}
    for operator in program.global_block().ops:
        if operator.name() in ("pd_op.data", "pd_op.feed"):
            name, value, side = operator.attrs()["name"], operator.result(0), takes
        elif operator.name() == "pd_op.fetch":
            name, value, side = operator.attrs()["name"], operator.operand_source(0), gives
        else:
            continue
        side[name] = _port(file, name, str(value.dtype).rpartition(".")[2].lower(), tuple(value.shape))
    if not gives:
        raise ValueError("no operator of it gives a result")
    return takes, gives


def _port(file: Path, name: str, dtype: str, shape: tuple[int, ...]) -> Port:
    datatype = _DATATYPES.get(dtype)
    if datatype is None:
        raise ModelLoadError(
            f"{file}: {name} is of type {dtype}, which V1 and V2 have no form for",
            fix=f"save the model with tensors of {', '.join(sorted(set(_DATATYPES.values())))}",
        )
    return Port(name, datatype, shape, tuple(None for _ in shape))
