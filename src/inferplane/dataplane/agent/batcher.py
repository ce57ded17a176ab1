"""KServe's batcher before a server that is not ours: V1 `:predict` and V2 `infer` requests, joined as JSON bodies.

Each path has a queue of its own, so requests for different models never meet. What cannot be joined (binary tensors,
large bodies, what is no JSON) goes on as it came, and everything that is neither of the two is none of our business.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from inferplane.dataplane.agent.settings import BatcherSettings
from inferplane.dataplane.server.answers import JSON, Answer
from inferplane.dataplane.server.batching import bodies
from inferplane.dataplane.server.batching.bodies import Form
from inferplane.dataplane.server.batching.decide import Bounds
from inferplane.dataplane.server.batching.gathering import Gathering, Observe, Request
from inferplane.dataplane.server.gathered import LARGEST, common, is_json, who
from inferplane.dataplane.server.ids import new_id

Headers: TypeAlias = dict[str, str]
Send: TypeAlias = Callable[[str, bytes, Headers], Awaitable[Answer]]
"""(target, body, headers) → what the server behind answers."""

_V1, _V2, _V2_MODELS = ":predict", "/infer", "/v2/models/"


def form_of(method: str, target: str) -> Form | None:
    """Of requests that the batcher takes; None for all others."""
    path = target.partition("?")[0]
    if method != "POST":
        return None
    if path.endswith(_V1):
        return bodies.V1
    return bodies.V2 if path.startswith(_V2_MODELS) and path.endswith(_V2) else None


class Batcher:
    """Belongs to one event loop. Header names are in lower case. `observe` is told of each batch."""

    def __init__(self, settings: BatcherSettings, send: Send, observe: Observe = lambda requests, rows: None) -> None:
        self._settings = settings
        self._send = send
        self._observe = observe
        self._gatherings: dict[str, Gathering] = {}

    @property
    def waiting(self) -> int:
        """Targets with requests that wait or are on their way."""
        return len(self._gatherings)

    async def answer(self, form: Form, target: str, body: bytes, headers: Headers) -> Answer:
        """What `send` raises is raised for each request of the batch."""
        rows = form.read(body) if len(body) <= LARGEST and _is_plain(headers) else None
        if rows is None:
            return _labelled(form, await self._send(target, body, headers))
        gathering = self._gatherings.get(target)
        if gathering is None:
            gathering = self._gatherings[target] = self._made(target)
        return await gathering.ask(Request(form, rows, body, headers, who(headers)))

    def close(self) -> None:
        for one in self._gatherings.values():
            one.close()

    def _made(self, target: str) -> Gathering:
        def send(body: bytes, requests: Sequence[Request]) -> Awaitable[Answer]:
            return self._send(target, body, common(requests))

        settings = self._settings
        bounds = Bounds(rows=settings.max_batch_size, latency=settings.max_latency)
        # Targets are the clients' to make up, so none stays.
        return Gathering(
            send,
            bounds,
            new_id,
            timeout=settings.timeout,
            observe=self._observe,
            on_idle=lambda: self._forget(target),
        )

    def _forget(self, target: str) -> None:
        self._gatherings.pop(target, None)


def _is_plain(headers: Headers) -> bool:
    return is_json(headers) and headers.get("content-encoding", "identity") == "identity"


def _labelled(form: Form, answer: Answer) -> Answer:
    body = answer.body
    is_object = isinstance(body, bytes) and body[:1] == b"{" and (answer.content_type or b"").startswith(JSON)
    if not form.labels or answer.status != 200 or not isinstance(body, bytes) or not is_object:
        return answer
    return Answer(200, bodies.labelled(body, new_id()), answer.content_type, answer.headers)
