"""The drawing: a tree from `root` on, a line for each step. Pure.

mixed   Ready   http://mixed.default.localhost:8080

root · Splitter
├─ 80 %   ● steady
└─ 20 %   judge · Switch
          ├─ if instances.#(0>6)   ● large
          └─ if @this              ✗ small: does not exist
"""

from collections.abc import Iterator

from inferplane.cli.graph.facts import Facts
from inferplane.resources.serving.inferencegraph import REQUEST, ROOT, Node, RouterType, Step

READY, NOT_READY, OUTSIDE = "●", "✗", "○"


def drawn(found: Facts) -> list[str]:
    return [_title(found), "", *_nodes(found), *_unreached(found), *_trouble(found)]


def _title(found: Facts) -> str:
    state = "Ready" if found.is_ready else "not ready"
    return f"{found.graph.metadata.name}   {state}   {found.graph.status.url}".rstrip()


def _trouble(found: Facts) -> list[str]:
    ready = found.ready
    if found.is_ready:
        return []
    if ready is None:
        return ["", "no controller has looked at it yet"]
    return ["", f"{ready.reason}: {ready.message}".removesuffix(": ").removeprefix(": ")]


def _nodes(found: Facts) -> Iterator[str]:
    root = found.spec.nodes.get(ROOT)
    if root is None:
        yield f"there is no node {ROOT}"
        return
    yield f"{ROOT} · {root.router_type}"
    yield from _steps(found, ROOT, root, "", {ROOT})


def _unreached(found: Facts) -> list[str]:
    """Nodes that no way leads to from the root."""
    reached, waiting = {ROOT}, [ROOT]
    while waiting:
        node = found.spec.nodes.get(waiting.pop())
        further = {step.node_name for step in node.steps if step.node_name} - reached if node else set()
        reached |= further
        waiting += further
    left = sorted(found.spec.nodes.keys() - reached)
    return ["", f"nothing leads to: {', '.join(left)}"] if left else []


def _steps(found: Facts, name: str, node: Node, indent: str, drawn_nodes: set[str]) -> Iterator[str]:
    marks = [_mark(node, step, index) for index, step in enumerate(node.steps)]
    width = max((len(one) for one in marks), default=0)
    for index, (step, mark) in enumerate(zip(node.steps, marks, strict=True)):
        last = index == len(node.steps) - 1
        branch, below = ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield f"{indent}{branch}{mark:<{width}}   {_leads_to(found, step)}{_remarks(step)}"
        inner = found.spec.nodes.get(step.node_name)
        if inner is not None and step.node_name not in drawn_nodes:
            drawn_nodes.add(step.node_name)
            yield from _steps(found, step.node_name, inner, f"{indent}{below}{' ' * (width + 3)}", drawn_nodes)


def _mark(node: Node, step: Step, index: int) -> str:
    """Which requests take the step."""
    match node.router_type:
        case RouterType.SPLITTER:
            return f"{'?' if step.weight is None else step.weight} %"
        case RouterType.SWITCH:
            return f"if {step.condition}" if step.condition else "never"
        case RouterType.ENSEMBLE:
            return f"{step.name or index}:"
        case RouterType.SEQUENCE:
            return f"{index + 1}. if {step.condition}" if step.condition else f"{index + 1}."


def _leads_to(found: Facts, step: Step) -> str:
    if step.node_name:
        inner = found.spec.nodes.get(step.node_name)
        return (
            f"{step.node_name} · {inner.router_type}"
            if inner
            else f"{NOT_READY} {step.node_name}: there is no such node"
        )
    state = found.state(step)
    if state is None:
        return f"{OUTSIDE} {step.service_url or 'nowhere'}"
    return f"{READY} {step.service_name}" if state.ready else f"{NOT_READY} {step.service_name}: {state.trouble}"


def _remarks(step: Step) -> str:
    """What is not what it is without being said."""
    remarks = [step.data] if step.data and step.data != REQUEST else []
    if step.map_predictions_to_instances:
        remarks.append("predictions as instances")
    if step.is_hard:
        remarks.append("hard")
    return f"   ({', '.join(remarks)})" if remarks else ""
