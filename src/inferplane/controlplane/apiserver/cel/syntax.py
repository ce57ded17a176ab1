"""Checked expressions as a tree of frozen nodes, read from what the type checker hands out (`cel.expr.CheckedExpr`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from cel.expr.checked_pb2 import CheckedExpr, Type
from cel.expr.syntax_pb2 import Constant, Expr
from google.protobuf import any_pb2

Value: TypeAlias = "int | float | str | bytes | bool | None"
# What the cost of an operation depends on: `list`, `map`, `struct`, `string`, `bytes`, `scalar`, or "" for the rest.
Shape: TypeAlias = str


@dataclass(frozen=True, slots=True)
class Literal:
    id: int
    value: Value


@dataclass(frozen=True, slots=True)
class Ident:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`, or `has(operand.field)` with `test`."""

    id: int
    operand: "Node"
    field: str
    test: bool


@dataclass(frozen=True, slots=True)
class Call:
    id: int
    function: str
    target: "Node | None"
    args: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class ListOf:
    """`optional` holds the places of items that are left out when they are absent."""

    id: int
    items: "tuple[Node, ...]"
    optional: frozenset[int]


@dataclass(frozen=True, slots=True)
class MapOf:
    """Entries: key, value, whether the entry is left out when its value is absent."""

    id: int
    entries: "tuple[tuple[Node, Node, bool], ...]"


@dataclass(frozen=True, slots=True)
class Comprehension:
    """A loop: `all`, `exists`, `map`, `filter` and the like are written as one."""

    id: int
    variable: str
    over: "Node"
    accumulator: str
    initial: "Node"
    condition: "Node"
    step: "Node"
    result: "Node"


Node: TypeAlias = "Literal | Ident | Select | Call | ListOf | MapOf | Comprehension"


@dataclass(frozen=True, slots=True)
class Tree:
    """An expression that is sound. `shapes`, `overloads` and `positions` are by the node's id."""

    root: Node
    shapes: dict[int, Shape]
    elements: dict[int, Shape]
    overloads: dict[int, tuple[str, ...]]
    positions: dict[int, int]

    def uses(self, name: str) -> bool:
        return any(isinstance(node, Ident) and node.name == name for node in walk(self.root))

    def compares_wholes(self) -> bool:
        """Whether more of a value matters than the fields that are named."""
        comparisons = ("_==_", "_!=_", "@in", "_in_", "string", "format")
        return any(
            isinstance(node, Call)
            and node.function in comparisons
            and any(self.shapes.get(one.id, "") not in ("scalar", "string", "bytes") for one in node.args)
            for node in walk(self.root)
        )


def walk(node: Node) -> Iterator[Node]:
    yield node
    for below in children(node):
        yield from walk(below)


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Select():
            return (node.operand,)
        case Call():
            return ((node.target,) if node.target is not None else ()) + node.args
        case ListOf():
            return node.items
        case MapOf():
            return tuple(part for key, value, _ in node.entries for part in (key, value))
        case Comprehension():
            return (node.over, node.initial, node.condition, node.step, node.result)
        case _:
            return ()


def read(serialized: bytes) -> Tree:
    """From the checker's own serialized form: an `Any` with a `CheckedExpr`."""
    packed, checked = any_pb2.Any(), CheckedExpr()
    packed.ParseFromString(serialized)
    checked.ParseFromString(packed.value)
    return Tree(
        root=_node(checked.expr),
        shapes={number: _shape(type_) for number, type_ in checked.type_map.items()},
        elements={
            number: _shape(type_.list_type.elem_type)
            for number, type_ in checked.type_map.items()
            if type_.WhichOneof("type_kind") == "list_type"
        },
        overloads={number: tuple(found.overload_id) for number, found in checked.reference_map.items()},
        positions=dict(checked.source_info.positions),
    )


def _shape(type_: Type) -> Shape:
    match type_.WhichOneof("type_kind"):
        case "list_type":
            return "list"
        case "map_type":
            return "map"
        case "message_type":
            return "struct"
        case "well_known":
            return "" if type_.well_known == Type.WellKnownType.ANY else "scalar"
        case "primitive" | "wrapper" as which:
            kind = type_.primitive if which == "primitive" else type_.wrapper
            named = {Type.PrimitiveType.STRING: "string", Type.PrimitiveType.BYTES: "bytes"}
            return named.get(kind, "scalar")
        case _:
            return ""


def _node(expr: Expr) -> Node:
    match expr.WhichOneof("expr_kind"):
        case "const_expr":
            return Literal(expr.id, _constant(expr.const_expr))
        case "ident_expr":
            return Ident(expr.id, expr.ident_expr.name)
        case "select_expr":
            found = expr.select_expr
            return Select(expr.id, _node(found.operand), found.field, found.test_only)
        case "call_expr":
            call = expr.call_expr
            target = _node(call.target) if call.HasField("target") else None
            return Call(expr.id, call.function, target, tuple(_node(one) for one in call.args))
        case "list_expr":
            items = expr.list_expr
            return ListOf(expr.id, tuple(_node(one) for one in items.elements), frozenset(items.optional_indices))
        case "struct_expr":
            entries = expr.struct_expr.entries
            return MapOf(expr.id, tuple((_node(one.map_key), _node(one.value), one.optional_entry) for one in entries))
        case _:
            return _comprehension(expr)


def _comprehension(expr: Expr) -> Comprehension:
    loop = expr.comprehension_expr
    return Comprehension(
        expr.id,
        loop.iter_var,
        _node(loop.iter_range),
        loop.accu_var,
        _node(loop.accu_init),
        _node(loop.loop_condition),
        _node(loop.loop_step),
        _node(loop.result),
    )


def _constant(constant: Constant) -> Value:
    which = constant.WhichOneof("constant_kind")
    if which in (None, "null_value"):
        return None
    found: Value = getattr(constant, str(which))
    return found
