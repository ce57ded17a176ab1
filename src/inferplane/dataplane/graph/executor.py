"""One request through the nodes of a graph.

    Sequence   step after step; each gets the node's input or the response before it
    Switch     the first step whose condition holds in the input
    Splitter   one step, drawn by weight
    Ensemble   all steps at once; their answers merged

The rules are KServe's (`cmd/router`). A step of which nothing came back ends the request with 500, whatever its
dependency, and is named; one that answered with an error ends its node when it is a hard dependency. When a branch of
an ensemble ends the node, the other branches are cancelled.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from inferplane.dataplane.graph import bodies, splitting
from inferplane.dataplane.graph.bodies import Message
from inferplane.dataplane.graph.forwarding import Forwarded
from inferplane.dataplane.graph.plan import Graph, Node, Step
from inferplane.kernel.errors import InferplaneError
from inferplane.resources.serving.inferencegraph import ROOT, RouterType

OK, NOT_FOUND, FAILED = 200, 404, 500
NO_MATCH = "None of the routes matched with the switch condition"
"""KServe's words."""


class StepFailed(InferplaneError):
    """A request that a graph cannot answer; `place` is the node or step that is the reason."""

    def __init__(self, place: str, words: str, status: int = FAILED) -> None:
        super().__init__(words if place == ROOT else f"{place}: {words}")
        self.place = place
        self.status = status


@dataclass(frozen=True, slots=True)
class Answered:
    """`retry_after` is that header of the step's answer, if it had one."""

    status: int
    message: Message
    retry_after: bytes = b""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status <= 299


class _EndedBy(Exception):  # not an error: it carries the node's answer out of its branches
    """A hard dependency that answered with an error."""

    def __init__(self, step: Step, answered: Answered) -> None:
        super().__init__(step.place)
        self.step = step
        self.answered = answered


class Call(Protocol):
    """Asks the URL of a step. Raises StepFailed."""

    def __call__(self, step: Step, message: Message, forwarded: Forwarded) -> Awaitable[Answered]: ...


class Executor:
    """`draw` gives one of 0 … 99, all as likely."""

    def __init__(self, graph: Graph, call: Call, draw: Callable[[], int]) -> None:
        self._graph = graph
        self._call = call
        self._draw = draw

    async def run(self, request: Message, forwarded: Forwarded) -> Answered:
        """Raises StepFailed."""
        return await self._node(self._graph.root, request, forwarded)

    async def _node(self, node: Node, request: Message, forwarded: Forwarded) -> Answered:
        match node.kind:
            case RouterType.SEQUENCE:
                return await self._sequence(node, request, forwarded)
            case RouterType.SWITCH:
                return await self._switch(node, request, forwarded)
            case RouterType.SPLITTER:
                return await self._step(splitting.chosen(node.steps, self._draw()), request, None, forwarded)
            case RouterType.ENSEMBLE:
                return await self._ensemble(node, request, forwarded)

    async def _sequence(self, node: Node, request: Message, forwarded: Forwarded) -> Answered:
        before: Answered | None = None
        for step in node.steps:
            if step.condition is not None:
                if before is None or before.message.document() is bodies.INVALID:
                    raise StepFailed(step.place, "its condition is about a response that is no JSON")
                if not before.message.holds(step.condition):
                    return Answered(OK, before.message)
            before = await self._step(step, request, before.message if before else None, forwarded)
            if step.is_hard and not before.is_success:
                return before
        assert before is not None, "every node has a step"
        return before

    async def _switch(self, node: Node, request: Message, forwarded: Forwarded) -> Answered:
        for step in node.steps:
            if step.condition is not None and request.holds(step.condition):
                return await self._step(step, request, None, forwarded)
        why = ": it is no JSON" if request.document() is bodies.INVALID else ""
        raise StepFailed(node.name, f"{NO_MATCH}{why}", NOT_FOUND)

    async def _ensemble(self, node: Node, request: Message, forwarded: Forwarded) -> Answered:
        try:
            async with asyncio.TaskGroup() as branches:
                running = [branches.create_task(self._branch(step, request, forwarded)) for step in node.steps]
        except ExceptionGroup as group:
            return _first(node, group.exceptions)
        answers = {step.key: one.result().message for step, one in zip(node.steps, running, strict=True)}
        return Answered(OK, bodies.merged(answers))

    async def _branch(self, step: Step, request: Message, forwarded: Forwarded) -> Answered:
        answered = await self._step(step, request, None, forwarded)
        if not bodies.is_object(answered.message):
            words = f"only JSON objects can be merged, got HTTP {answered.status} with another body"
            raise StepFailed(step.place, words)
        if step.is_hard and not answered.is_success:
            raise _EndedBy(step, answered)
        return answered

    async def _step(self, step: Step, request: Message, before: Message | None, forwarded: Forwarded) -> Answered:
        message = _input(step, request, before)
        if step.target is None:
            return await self._node(self._graph.nodes[step.node], message, forwarded)
        return await self._call(step, message, forwarded)


def _input(step: Step, request: Message, before: Message | None) -> Message:
    message = before if step.data.of_response and before is not None else request
    if step.data.path is not None:
        found = bodies.part(message, step.data.path)
        if found is None:
            raise StepFailed(step.place, f"data: there is no {step.data.path.text!r} in what it would be sent")
        message = found
    return bodies.as_request(message) if step.maps_predictions else message


def _first(node: Node, errors: tuple[Exception, ...]) -> Answered:
    """The answer, or the error, of the step that comes first among those that ended the node."""
    order = {step.place: number for number, step in enumerate(node.steps)}
    ended = [one for one in errors if isinstance(one, _EndedBy)]
    if ended:
        return min(ended, key=lambda one: order[one.step.place]).answered
    raise errors[0] from None
