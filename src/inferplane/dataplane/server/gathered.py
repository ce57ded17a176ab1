"""KServe's batcher before a model that cannot take the rows of several requests itself: one with async hooks, or hooks
of its own before `predict`. Its requests are joined as JSON bodies, as the agent joins them before a foreign server.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from inferplane.dataplane.server.answers import Answer, Outcome
from inferplane.dataplane.server.batching import bodies
from inferplane.dataplane.server.batching.decide import Bounds
from inferplane.dataplane.server.batching.gathering import Gathering, Request
from inferplane.dataplane.server.calls import Codec, Headers
from inferplane.dataplane.server.ids import new_id
from inferplane.dataplane.server.protocols import V1, V2, media_type

LARGEST = 64 * 1024
"""Bytes. Reading a larger body for its rows would cost more than joining it saves: it goes on as it is."""

_FORMS = {V1: bodies.V1, V2: bodies.V2}
_BINARY = "inference-header-content-length"
_WHO = ("authorization", "cookie")
Run: TypeAlias = Callable[[bytes, Headers], Outcome]


@dataclass(frozen=True, slots=True)
class _Asked(Request):
    run: Run | None = None


class Gathered:
    """Of one model."""

    def __init__(self, bounds: Bounds) -> None:
        self._gatherings = {codec: Gathering(_send, bounds, new_id) for codec in _FORMS}

    @property
    def is_idle(self) -> bool:
        return all(one.is_idle for one in self._gatherings.values())

    async def answer(self, codec: Codec, body: bytes, headers: Headers, run: Run) -> Answer:
        """`run` answers one body, the call's own or one of several calls."""
        form = _FORMS.get(codec)
        rows = form.read(body) if form is not None and len(body) <= LARGEST and is_json(headers) else None
        if form is None or rows is None:
            return labelled(codec, await settled(run(body, headers)))
        return await self._gatherings[codec].ask(_Asked(form, rows, body, headers, who(headers), run))

    def close(self) -> None:
        for one in self._gatherings.values():
            one.close()


def _send(body: bytes, requests: Sequence[Request]) -> Awaitable[Answer]:
    first = requests[0]
    assert isinstance(first, _Asked)
    assert first.run is not None
    return settled(first.run(body, common(requests)))


async def settled(outcome: Outcome) -> Answer:
    return outcome if isinstance(outcome, Answer) else await outcome


def common(requests: Sequence[Request]) -> Headers:
    """What all say alike."""
    first, *others = [request.headers for request in requests]
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}


def who(headers: Headers) -> tuple[str | None, ...]:
    """Requests of different askers are never joined."""
    return tuple(headers.get(name) for name in _WHO)


def is_json(headers: Headers) -> bool:
    return _BINARY not in headers and media_type(headers) in ("", "application/json")


def labelled(codec: Codec, answer: Answer) -> Answer:
    """In the form of KServe's batcher, for a request that was alone."""
    if codec.labelled is None or answer.status != 200:
        return answer
    return codec.labelled(answer, new_id())
