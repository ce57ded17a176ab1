"""How dear a rule can get, in the units of Kubernetes' cost model: about 50 ns each, with the largest values allowed.

A number of steps per node of the tree; a loop costs its body times the largest number of turns, a comparison of texts a
tenth of their length. Figures and formulas are facts of `cel-go/checker/cost.go` and of
`k8s.io/apiserver/pkg/cel/library/cost.go`: a rule is taken here exactly when it is taken on a cluster.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from inferplane.controlplane.apiserver.cel.declared import Declared, Sort
from inferplane.controlplane.apiserver.cel.syntax import (
    Call,
    Comprehension,
    Ident,
    ListOf,
    Literal,
    MapOf,
    Node,
    Select,
    Tree,
)

ENDLESS = 2**64 - 1
PER_CHARACTER, PER_PATTERN_CHARACTER = 0.1, 0.25
LIST_COST, MAP_COST = 10, 30
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """From `least` to `most`, of a size or of a cost; nothing is above ENDLESS."""

    least: int
    most: int

    def __add__(self, other: "Range") -> "Range":
        return Range(_capped(self.least + other.least), _capped(self.most + other.most))

    def __mul__(self, other: "Range") -> "Range":
        return Range(_capped(self.least * other.least), _capped(self.most * other.most))

    def times(self, factor: float) -> "Range":
        return Range(_scaled(self.least, factor), _scaled(self.most, factor))

    def union(self, other: "Range") -> "Range":
        return Range(min(self.least, other.least), max(self.most, other.most))


def _capped(value: int) -> int:
    return min(value, ENDLESS)


def _scaled(value: int, factor: float) -> int:
    product = float(value) * factor
    return ENDLESS if product >= 2.0**64 else _capped(math.ceil(product))


def fixed(value: int) -> Range:
    return Range(value, value)


FREE, ONE, UNKNOWN = fixed(0), fixed(1), Range(0, ENDLESS)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of a call: its cost, and the size of its result where it is known."""

    cost: Range
    size: Range | None = None


def estimate(tree: Tree, declared: Declared) -> int:
    """The largest cost of evaluating the tree once."""
    return _Coster(tree, declared).cost(tree.root).most


@dataclass(slots=True)
class _Local:
    path: Path
    size: Range | None
    items: Range | None


@dataclass(slots=True)
class _Coster:
    tree: Tree
    declared: Declared
    paths: dict[int, Path] = field(default_factory=dict)
    sizes: dict[int, Range] = field(default_factory=dict)
    items: dict[int, Range] = field(default_factory=dict)  # sizes of what a list or map made in the rule holds
    locals: dict[str, list[_Local]] = field(default_factory=dict)

    def cost(self, node: Node) -> Range:
        match node:
            case Ident():
                local = self._local(node.name)
                self.paths[node.id] = local.path if local else (node.name,)
                return ONE
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListOf():
                return self._list(node)
            case MapOf():
                return self._map(node)
            case Comprehension():
                return self._comprehension(node)
            case _:
                return FREE

    def _local(self, name: str) -> _Local | None:
        found = self.locals.get(name)
        return found[-1] if found else None

    def _select(self, node: Select) -> Range:
        total = self.cost(node.operand)
        if node.test:
            return total
        if self.tree.shapes.get(node.operand.id) in ("map", "struct"):
            total += ONE
        self.paths[node.id] = (*self.path(node.operand), node.field)
        return total

    def _list(self, node: ListOf) -> Range:
        total = fixed(LIST_COST)
        for item in node.items:
            total += self.cost(item)
        self.items[node.id] = self._union(node.items)
        return total

    def _map(self, node: MapOf) -> Range:
        total = fixed(MAP_COST)
        for key, value, _ in node.entries:
            total += self.cost(key) + self.cost(value)
        self.items[node.id] = self._union([key for key, _, _ in node.entries])
        return total

    def _union(self, nodes: Sequence[Node]) -> Range:
        found = [self.size(node) for node in nodes]
        if not found:
            return FREE
        return Range(min(one.least for one in found), max(one.most for one in found))

    def _comprehension(self, node: Comprehension) -> Range:
        total = self.cost(node.over) + self.cost(node.initial)
        accumulated = _Local(self.path(node.initial), self._known_size(node.initial), self._items_of(node.initial))
        self.locals.setdefault(node.accumulator, []).append(accumulated)
        step = "@items" if self.tree.shapes.get(node.over.id) == "list" else "@keys"
        turn = _Local((*self.path(node.over), step), self._items_of(node.over), None)
        self.locals.setdefault(node.variable, []).append(turn)
        body = self.cost(node.condition) + self.cost(node.step)
        self.locals[node.variable].pop()
        total += self.cost(node.result)
        self.locals[node.accumulator].pop()
        turns = self.size(node.over)
        if isinstance(node.initial, Literal):
            self.sizes[node.id] = self.size(node.initial)
        elif isinstance(node.initial, ListOf | MapOf):
            self.sizes[node.id] = turns
            made = self._items_of(node.step)
            if made is not None:
                self.items[node.id] = made
        return total + turns * body

    def _call(self, node: Call) -> Range:
        if node.function == "dyn" and node.target is None and node.args:
            total = ONE + self.cost(node.args[0])
            self.sizes[node.id] = self.size(node.args[0])
            return total
        costs = [self.cost(one) for one in node.args]
        total = self.cost(node.target) if node.target is not None else FREE
        overloads = self.tree.overloads.get(node.id, ())
        if not overloads:
            return FREE
        dearest, size = Range(ENDLESS, 0), None
        for overload in overloads:
            found = self._overload(node, overload, costs)
            dearest = dearest.union(found.cost)
            if found.size is not None:
                size = size.union(found.size) if size is not None else found.size
            if overload in ("index_list", "index_map"):
                step = "@items" if overload == "index_list" else "@values"
                size = self._items_of(node.args[0])
                self.paths[node.id] = (*self.path(node.args[0]), step)
        size = size if size is not None else self._known_size(node)
        if size is not None:
            self.sizes[node.id] = size
        return total + dearest

    def _overload(self, node: Call, overload: str, costs: list[Range]) -> Estimate:
        given = sum(costs, FREE)
        own = _KUBERNETES.get(node.function)
        if own is not None:
            found = own(self, node)
            if found is not None:
                return Estimate(found.cost + given, found.size)
        standard = _STANDARD.get(overload)
        if standard is not None:
            return standard(self, node, costs)
        return Estimate(ONE + given)

    def path(self, node: Node) -> Path:
        if isinstance(node, Ident):
            local = self._local(node.name)
            if local is not None:
                return local.path
        return self.paths.get(node.id, ())

    def size(self, node: Node) -> Range:
        return self._known_size(node) or UNKNOWN

    def _known_size(self, node: Node) -> Range | None:
        if node.id in self.sizes:
            return self.sizes[node.id]
        written = _written_size(node)
        if written is not None:
            return written
        declared = self._at(self.path(node))
        if declared is not None:
            return Range(0, declared.most)
        if self.tree.shapes.get(node.id) == "scalar":
            return ONE
        local = self._local(node.name) if isinstance(node, Ident) else None
        return local.size if local else None

    def _items_of(self, node: Node) -> Range | None:
        if node.id in self.items:
            return self.items[node.id]
        local = self._local(node.name) if isinstance(node, Ident) else None
        return local.items if local else None

    def _at(self, path: Path) -> Declared | None:
        """The declared type that a path leads to; its first part is a variable."""
        if not path or path[0] not in ("self", "oldSelf"):
            return None
        found: Declared | None = self.declared
        for step in path[1:]:
            if found is None:
                return None
            if step == "@keys":
                found = _KEY if found.sort is Sort.MAP else None
            elif step in ("@items", "@values"):
                found = found.element
            else:
                found = found.fields.get(step)
        return found

    def item_size(self, node: Node) -> Range:
        """Of one item of a list."""
        below = self._at((*self.path(node), "@items")) if self.path(node) else None
        if below is not None:
            return Range(0, below.most)
        return self._items_of(node) or UNKNOWN


_KEY = Declared(Sort.STRING, 0, 2)


def _written_size(node: Node) -> Range | None:
    match node:
        case Literal(value=str() | bytes() as text):
            return fixed(len(text))
        case Literal():
            return ONE
        case ListOf():
            return fixed(len(node.items))
        case MapOf():
            return fixed(len(node.entries))
        case _:
            return None


# the language's own functions whose cost isn't one


def _either(coster: _Coster, node: Call, costs: list[Range]) -> Estimate:
    left, right = costs
    return Estimate(Range(left.least, (left + right).most))


def _choice(coster: _Coster, node: Call, costs: list[Range]) -> Estimate:
    condition, then, otherwise = costs
    size = coster.size(node.args[1]).union(coster.size(node.args[2]))
    return Estimate(condition + then.union(otherwise), size)


def _joined(coster: _Coster, node: Call, costs: list[Range]) -> Estimate:
    size = coster.size(node.args[0]) + coster.size(node.args[1])
    return Estimate(size.times(PER_CHARACTER) + sum(costs, FREE), size)


def _joined_lists(coster: _Coster, node: Call, costs: list[Range]) -> Estimate:
    one, other = coster._items_of(node.args[0]), coster._items_of(node.args[1])
    if one is not None and other is not None:
        coster.items[node.id] = one.union(other)
    return Estimate(ONE + sum(costs, FREE), coster.size(node.args[0]) + coster.size(node.args[1]))


def _compared(coster: _Coster, node: Call, costs: list[Range]) -> Estimate:
    most = min(coster.size(node.args[0]).most, coster.size(node.args[1]).most)
    return Estimate(Range(1 if most else 0, most).times(PER_CHARACTER) + sum(costs, FREE))


def _prefix(coster: _Coster, node: Call, costs: list[Range]) -> Estimate:
    return Estimate(coster.size(node.args[-1]).times(PER_CHARACTER) + sum(costs, FREE))


def _among(coster: _Coster, node: Call, costs: list[Range]) -> Estimate:
    return Estimate(coster.size(node.args[1]).times(1) + sum(costs, FREE))


def _matched(coster: _Coster, node: Call, costs: list[Range]) -> Estimate:
    return Estimate(_pattern_cost(coster, node) + sum(costs, FREE))


def _pattern_cost(coster: _Coster, node: Call) -> Range:
    subject = node.target if node.target is not None else node.args[0]
    read = (coster.size(subject) + ONE).times(PER_CHARACTER)
    return read * coster.size(node.args[-1]).times(PER_PATTERN_CHARACTER)


def _contained(coster: _Coster, node: Call, costs: list[Range]) -> Estimate:
    subject = node.target if node.target is not None else node.args[0]
    cost = coster.size(subject).times(PER_CHARACTER) * coster.size(node.args[-1]).times(PER_CHARACTER)
    return Estimate(cost + sum(costs, FREE))


def _as_bytes(coster: _Coster, node: Call, costs: list[Range]) -> Estimate:
    size = coster.size(node.args[0])
    return Estimate(size.times(PER_CHARACTER) + sum(costs, FREE), Range(size.least, _capped(size.most * 4)))


def _as_string(coster: _Coster, node: Call, costs: list[Range]) -> Estimate:
    size = coster.size(node.args[0])
    return Estimate(size.times(PER_CHARACTER) + sum(costs, FREE), Range(size.least // 4, size.most))


_ORDER = ("less", "greater", "less_equals", "greater_equals")
_STANDARD: dict[str, Callable[[_Coster, Call, list[Range]], Estimate]] = {
    "logical_and": _either,
    "logical_or": _either,
    "conditional": _choice,
    "add_string": _joined,
    "add_bytes": _joined,
    "add_list": _joined_lists,
    **{f"{order}_{kind}": _compared for order in _ORDER for kind in ("string", "bytes")},
    "equals": _compared,
    "not_equals": _compared,
    "starts_with_string": _prefix,
    "ends_with_string": _prefix,
    "in_list": _among,
    "matches_string": _matched,
    "contains_string": _contained,
    "string_to_bytes": _as_bytes,
    "bytes_to_string": _as_string,
}


# Kubernetes' own functions, by name


def _over_list(coster: _Coster, node: Call) -> Estimate | None:
    if node.target is None:
        return None
    size = coster.size(node.target)
    if coster.tree.shapes.get(node.target.id) != "list":
        return Estimate(size.times(PER_CHARACTER))
    each = ONE
    if coster.tree.elements.get(node.target.id) in ("string", "bytes"):
        each += coster.item_size(node.target).times(PER_CHARACTER)
    return Estimate(size * each)


def _same_text(coster: _Coster, node: Call) -> Estimate | None:
    if node.target is None:
        return None
    size = coster.size(node.target)
    return Estimate(size.times(PER_CHARACTER), size)


def _replaced(coster: _Coster, node: Call) -> Estimate | None:
    if node.target is None or len(node.args) < 2:
        return None
    size, old, new = coster.size(node.target), coster.size(node.args[0]), coster.size(node.args[1])
    if old.least == 0:
        most = _capped((size.most + 1) * new.most + size.most)
    elif new.most <= old.least:
        most = size.most
    else:
        most = _capped(math.ceil(size.most / old.least) * new.most)
    return Estimate(size.times(2 * PER_CHARACTER), Range(0, most))


def _splitted(coster: _Coster, node: Call) -> Estimate | None:
    if node.target is None:
        return None
    size = coster.size(node.target)
    limit = node.args[1].value if len(node.args) > 1 and isinstance(node.args[1], Literal) else None
    return Estimate(size.times(2 * PER_CHARACTER), Range(0, limit if isinstance(limit, int) else size.most))


def _joined_list(coster: _Coster, node: Call) -> Estimate | None:
    if node.target is None:
        return None
    count = coster.size(node.target)
    size = count * coster.item_size(node.target)
    if node.args:
        size += coster.size(node.args[0]) * Range(max(count.least - 1, 0), max(count.most - 1, 0))
    return Estimate(size.times(PER_CHARACTER), size)


def _found(coster: _Coster, node: Call) -> Estimate | None:
    if node.target is None or not node.args:
        return None
    size = coster.size(node.target)
    cost = (size + ONE).times(PER_CHARACTER) * coster.size(node.args[0]).times(PER_PATTERN_CHARACTER)
    return Estimate(cost, Range(0, size.most))


def _parsed(coster: _Coster, node: Call) -> Estimate | None:
    return Estimate(coster.size(node.args[0]).times(PER_CHARACTER)) if node.args else Estimate(ONE)


def _single(coster: _Coster, node: Call) -> Estimate | None:
    return Estimate(ONE)


_KUBERNETES: dict[str, Callable[[_Coster, Call], Estimate | None]] = {
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _over_list),
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim"), _same_text),
    **dict.fromkeys(("url", "quantity", "isQuantity"), _parsed),
    "replace": _replaced,
    "split": _splitted,
    "join": _joined_list,
    "find": _found,
    "findAll": _found,
    **dict.fromkeys(("masked", "prefixLength", "family", "isUnspecified", "isLoopback"), _single),
    **dict.fromkeys(("sign", "asInteger", "isInteger", "asApproximateFloat"), _single),
    **dict.fromkeys(("isGreaterThan", "isLessThan", "compareTo", "add", "sub"), _single),
}
