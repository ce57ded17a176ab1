"""Parsing and type checking: from a rule's text to a checked tree, or to what a real API server says is wrong with it.

The types of a schema become protocol buffer messages, because those are the types with fields that the checker knows.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, struct_pb2, timestamp_pb2

from inferplane.controlplane.apiserver.cel import library, syntax
from inferplane.controlplane.apiserver.cel.declared import Declared, Sort
from inferplane.controlplane.apiserver.cel.syntax import Call, Literal, Tree
from inferplane.kernel.errors import InferplaneError
from inferplane.resources.schemas.checks import go_pattern

_FIELD = descriptor_pb2.FieldDescriptorProto
_PLAIN = {
    Sort.STRING: _FIELD.TYPE_STRING,
    Sort.BYTES: _FIELD.TYPE_BYTES,
    Sort.INT: _FIELD.TYPE_INT64,
    Sort.DOUBLE: _FIELD.TYPE_DOUBLE,
    Sort.BOOL: _FIELD.TYPE_BOOL,
}
_KNOWN = {
    Sort.TIMESTAMP: ".google.protobuf.Timestamp",
    Sort.DURATION: ".google.protobuf.Duration",
    Sort.DYN: ".google.protobuf.Value",
    # No field of a message is a list of lists or of maps: what is in there is checked when the rule runs.
    Sort.LIST: ".google.protobuf.Value",
    Sort.MAP: ".google.protobuf.Value",
}
_SIGNATURES = {
    Sort.STRING: "string",
    Sort.BYTES: "bytes",
    Sort.INT: "int",
    Sort.DOUBLE: "double",
    Sort.BOOL: "bool",
    Sort.TIMESTAMP: "timestamp",
    Sort.DURATION: "duration",
    Sort.DYN: "dyn",
}
PACKAGE = "schema"
# The checker's words and those of the one in a real API server.
_WORDINGS = (
    (re.compile(r" not found in struct '[^']*'"), ""),
    (re.compile(r"expression of type '([^']*)' cannot be the operand of a select operation"),
     r"type '\1' does not support field selection"),
    (re.compile(r"cannot be the range of a comprehension"), "cannot be range of a comprehension"),
)  # fmt: skip


class Unsound(InferplaneError):
    """The rule doesn't compile; the message is the checker's."""


class Checker:
    """Checks rules on values of one declared type."""

    def __init__(self, declared: Declared) -> None:
        self._pool = descriptor_pool.DescriptorPool()
        for known in (timestamp_pb2, duration_pb2, struct_pb2):
            self._pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
        messages = _Messages()
        type_ = messages.signature(declared)
        self._pool.AddSerializedFile(messages.file.SerializeToString())
        own = cel.Type(type_)
        self._plain = self._environment(own, own)
        self._own = own
        self._optional: cel.Env | None = None

    def check(self, rule: str, *, optional_old: bool = False) -> tuple[Tree, str]:
        """The tree and the name of its type (`BOOL`, `STRING`, …). Raises Unsound."""
        environment = self._with_optional_old() if optional_old else self._plain
        try:
            expression = environment.compile(rule)
        except RuntimeError as error:
            raise Unsound(_as_kubernetes_says(str(error))) from error
        tree = syntax.read(expression.serialize())
        _check_constants(rule, tree)
        return tree, expression.return_type().name()

    def _with_optional_old(self) -> cel.Env:
        """`oldSelf` is an optional value; the checker can't be told so, hence anything may be done with it."""
        if self._optional is None:
            self._optional = self._environment(self._own, cel.Type.DYN)
        return self._optional

    def _environment(self, own: cel.Type, old: cel.Type) -> cel.Env:
        return cel.NewEnv(
            self._pool,
            variables={"self": own, "oldSelf": old},
            extensions=[ext_optional.ExtOptional()],
            functions=_functions(),
        )


@lru_cache(maxsize=1)
def _functions() -> list[cel.FunctionDecl]:
    """Declarations alone: trees are evaluated by `evaluation`."""
    return [
        cel.FunctionDecl(name, [_overload(name, number, one) for number, one in enumerate(signatures)])
        for name, signatures in library.SIGNATURES.items()
    ]


def _overload(name: str, number: int, written: str) -> cel.Overload:
    """From `string.(int, int) -> string`; what stands before the dot is what the function is called on."""
    found = re.fullmatch(r"(?:(?P<target>[^ ]+)\.)?\((?P<args>.*)\) -> (?P<result>.+)", written)
    assert found is not None, written
    target = [_type(found["target"])] if found["target"] else []
    args = [_type(one) for one in found["args"].split(", ") if one]
    return cel.Overload(
        f"{name}_{number}", return_type=_type(found["result"]), parameters=target + args, is_member=bool(target)
    )


def _type(name: str) -> cel.Type:
    return cel.Type.AbstractType(name) if name in library.OPAQUE else cel.Type(name)


def _as_kubernetes_says(text: str) -> str:
    text = re.sub(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$", "", text)
    for found, said in _WORDINGS:
        text = found.sub(said, text)
    # What follows from another fault is not said again.
    faults = [one for one in re.split(r"\n(?=ERROR: )", text) if "'*error*'" not in one and "<input>:-1:" not in one]
    return "\n".join(faults)


def _check_constants(rule: str, tree: Tree) -> None:
    """A constant pattern is compiled now, so that a wrong one is found before any object is written."""
    for node in syntax.walk(tree.root):
        if isinstance(node, Call) and node.function in ("matches", "find", "findAll") and node.args:
            given = node.args[0]
            if isinstance(given, Literal) and isinstance(given.value, str):
                try:
                    go_pattern(given.value)
                except re.error as error:
                    raise Unsound(_pointed(rule, tree.positions.get(given.id, 0), node.function)) from error


def _pointed(rule: str, offset: int, function: str) -> str:
    line = rule.count("\n", 0, offset)
    column = offset - (rule.rfind("\n", 0, offset) + 1)
    shown = rule.split("\n")[line]
    return f"ERROR: <input>:{line + 1}:{column + 1}: invalid {function} argument\n | {shown}\n | {'.' * column}^"


class _Messages:
    """The messages of one declared type, in one file."""

    def __init__(self) -> None:
        self.file = descriptor_pb2.FileDescriptorProto(name="schema.proto", package=PACKAGE, syntax="proto3")
        self.file.dependency.extend(f"google/protobuf/{name}.proto" for name in ("timestamp", "duration", "struct"))

    def signature(self, declared: Declared) -> str:
        """The type as the checker's signatures name it."""
        element = declared.element
        if declared.sort is Sort.OBJECT:
            return f"{PACKAGE}.{self._message(declared.fields)}"
        if declared.sort is Sort.LIST and element is not None:
            return f"list<{self.signature(element)}>"
        if declared.sort is Sort.MAP and element is not None:
            return f"map<string, {self.signature(element)}>"
        return _SIGNATURES[declared.sort]

    def _message(self, fields: Mapping[str, Declared]) -> str:
        message = self.file.message_type.add(name=f"T{len(self.file.message_type)}")
        # A message is moved when others are added behind it: all of its own are made before it is filled.
        filled = descriptor_pb2.DescriptorProto(name=message.name)
        for number, (name, declared) in enumerate(fields.items(), 1):
            self._field(filled, name, _number(number), declared)
        index = int(filled.name[1:])
        self.file.message_type[index].CopyFrom(filled)
        return filled.name

    def _field(self, message: descriptor_pb2.DescriptorProto, name: str, number: int, declared: Declared) -> None:
        element = declared.element
        field = message.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL, json_name=f"f{number}")
        if declared.sort is Sort.LIST and element is not None:
            field.label = _FIELD.LABEL_REPEATED
            self._fill(field, element)
        elif declared.sort is Sort.MAP and element is not None:
            entry = message.nested_type.add(name=_entry_name(name))
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, label=_FIELD.LABEL_OPTIONAL, type=_FIELD.TYPE_STRING)
            self._fill(entry.field.add(name="value", number=2, label=_FIELD.LABEL_OPTIONAL), element)
            field.label, field.type = _FIELD.LABEL_REPEATED, _FIELD.TYPE_MESSAGE
            field.type_name = f".{PACKAGE}.{message.name}.{entry.name}"
        else:
            self._fill(field, declared)

    def _fill(self, field: descriptor_pb2.FieldDescriptorProto, declared: Declared) -> None:
        if declared.sort in _PLAIN:
            field.type = _PLAIN[declared.sort]
            return
        field.type = _FIELD.TYPE_MESSAGE
        objects = declared.sort is Sort.OBJECT
        field.type_name = f".{PACKAGE}.{self._message(declared.fields)}" if objects else _KNOWN[declared.sort]


def _entry_name(field: str) -> str:
    """The name that protocol buffers want for the entries of a map: `my_map` → `MyMapEntry`."""
    return "".join(part[:1].upper() + part[1:] for part in field.split("_")) + "Entry"


def _number(number: int) -> int:
    """Field numbers; 19000 to 19999 are protocol buffers' own."""
    return number if number < 19_000 else number + 1_000
