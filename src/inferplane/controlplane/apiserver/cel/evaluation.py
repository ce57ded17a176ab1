"""From a checked tree to a function of the variables. The tree is walked once; running it walks nothing.

Errors are values of the language's own: `false && error` is false, and so is `error && false`.
"""

from collections.abc import Callable, Mapping

from inferplane.controlplane.apiserver.cel import operators
from inferplane.controlplane.apiserver.cel.library import FUNCTIONS
from inferplane.controlplane.apiserver.cel.syntax import (
    Call,
    Comprehension,
    Ident,
    ListOf,
    Literal,
    MapOf,
    Node,
    Select,
)
from inferplane.controlplane.apiserver.cel.values import NO_OVERLOAD, Maybe, RuleError, TypeName, Value

Scope = Mapping[str, Value]
Program = Callable[[Scope], Value]
_TYPES = frozenset(
    [
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "bool",
        "list",
        "map",
        "null_type",
        "type",
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "kubernetes.Quantity",
        "net.IP",
        "net.CIDR",
    ]
)


def program(node: Node) -> Program:
    """The function that evaluates a tree; it raises RuleError when there is no value."""
    match node:
        case Literal(value=value):
            return lambda scope: value
        case Ident(name=name):
            return _ident(name)
        case Select():
            return _select(node)
        case Call():
            return _call(node)
        case ListOf():
            return _list(node)
        case MapOf():
            return _map(node)
        case Comprehension():
            return _comprehension(node)


def _ident(name: str) -> Program:
    if name in _TYPES:
        type_ = TypeName(name)
        return lambda scope: type_

    def read(scope: Scope) -> Value:
        if name not in scope:
            raise RuleError(f"no such attribute(s): {name}")
        return scope[name]

    return read


def _select(node: Select) -> Program:
    field, test = node.field, node.test
    name = _dotted(node)
    if name in _TYPES:
        return _ident(name)
    operand = program(node.operand)

    def read(scope: Scope) -> Value:
        value = operand(scope)
        if isinstance(value, Maybe):
            return operators.optional_select(value, field)
        if not isinstance(value, dict):
            raise RuleError(NO_OVERLOAD)
        if test:
            return field in value
        if field not in value:
            raise RuleError(f"no such key: {field}")
        return value[field]

    return read


def _dotted(node: Node) -> str:
    if isinstance(node, Select) and not node.test:
        below = _dotted(node.operand)
        return f"{below}.{node.field}" if below else ""
    return node.name if isinstance(node, Ident) else ""


def _call(node: Call) -> Program:
    special = _SPECIAL.get(node.function)
    if special is not None:
        return special(*(program(one) for one in node.args))
    function, args = node.function, node.args
    if node.target is not None:
        # `strings.quote(x)` is read as a call on `strings` until it is checked.
        full = f"{_dotted(node.target)}.{function}"
        if full in FUNCTIONS:
            function = full
        else:
            args = (node.target, *args)
    run = FUNCTIONS.get(function) or operators.OPERATORS[function]
    parts = tuple(program(one) for one in args)
    if len(parts) == 2:
        left, right = parts
        return lambda scope: run(left(scope), right(scope))
    return lambda scope: run(*(part(scope) for part in parts))


def _and(left: Program, right: Program) -> Program:
    return _junction(left, right, deciding=False)


def _or(left: Program, right: Program) -> Program:
    return _junction(left, right, deciding=True)


def _junction(left: Program, right: Program, *, deciding: bool) -> Program:
    def run(scope: Scope) -> Value:
        try:
            first = left(scope)
        except RuleError:
            if right(scope) is deciding:
                return deciding
            raise
        if first is deciding:
            return deciding
        second = right(scope)
        if second is deciding:
            return deciding
        if not isinstance(first, bool) or not isinstance(second, bool):
            raise RuleError(NO_OVERLOAD)
        return second

    return run


def _choice(condition: Program, then: Program, otherwise: Program) -> Program:
    def run(scope: Scope) -> Value:
        found = condition(scope)
        if not isinstance(found, bool):
            raise RuleError(NO_OVERLOAD)
        return then(scope) if found else otherwise(scope)

    return run


def _not_false(value: Program) -> Program:
    def run(scope: Scope) -> Value:
        try:
            return value(scope) is not False
        except RuleError:
            return True

    return run


_SPECIAL: dict[str, Callable[..., Program]] = {
    "_&&_": _and,
    "_||_": _or,
    "_?_:_": _choice,
    "@not_strictly_false": _not_false,
    "__not_strictly_false__": _not_false,
}


def _list(node: ListOf) -> Program:
    parts = [(program(item), place in node.optional) for place, item in enumerate(node.items)]

    def run(scope: Scope) -> Value:
        found: list[Value] = []
        for part, optional in parts:
            value = part(scope)
            if not optional:
                found.append(value)
            elif isinstance(value, Maybe) and value.present:
                found.append(value.value)
        return found

    return run


def _map(node: MapOf) -> Program:
    parts = [(program(key), program(value), optional) for key, value, optional in node.entries]

    def run(scope: Scope) -> Value:
        found: dict[Value, Value] = {}
        for key, part, optional in parts:
            value = part(scope)
            if not optional:
                found[key(scope)] = value
            elif isinstance(value, Maybe) and value.present:
                found[key(scope)] = value.value
        return found

    return run


class _Failure:
    """An error inside a loop: it may still be made up for by another turn."""

    def __init__(self, error: RuleError) -> None:
        self.error = error


def _comprehension(node: Comprehension) -> Program:
    over, initial = program(node.over), program(node.initial)
    condition, step, result = program(node.condition), program(node.step), program(node.result)
    variable, accumulator = node.variable, node.accumulator

    def run(scope: Scope) -> Value:
        values = over(scope)
        if not isinstance(values, list | dict):
            raise RuleError(NO_OVERLOAD)
        inner = _Scope(scope)
        _assign(inner, accumulator, initial)
        for value in values:
            inner[variable] = value
            if condition(inner) is not True:
                break
            _assign(inner, accumulator, step)
        return result(inner)

    return run


def _assign(scope: "_Scope", name: str, value: Program) -> None:
    try:
        scope[name] = value(scope)
    except RuleError as error:
        scope[name] = _Failure(error)


class _Scope(dict[str, Value]):
    """The variables of a loop; others are looked up outside of it."""

    def __init__(self, outer: Scope) -> None:
        super().__init__(outer)

    def __getitem__(self, name: str) -> Value:
        value = super().__getitem__(name)
        if isinstance(value, _Failure):
            raise value.error
        return value
