"""Words of these tests: graphs as JSON, and a call that answers from a table."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from inferplane.dataplane.graph.bodies import Message
from inferplane.dataplane.graph.executor import Answered, Executor, StepFailed
from inferplane.dataplane.graph.forwarding import Forwarded
from inferplane.dataplane.graph.plan import Step, read
from inferplane.kernel.json import JsonObject

SUCCESS = b'{"predictions":[{"message":"SUCCESS"}]}'
ERROR = b'{"detail":"Intentional 404 code"}'


def node(kind: str, *steps: JsonObject) -> JsonObject:
    return {"routerType": kind, "steps": [*steps]}


def url(host: str, /, **fields: object) -> JsonObject:
    """A step that asks http://HOST/."""
    written: JsonObject = msgspec.to_builtins(fields)
    return {"serviceUrl": f"http://{host}/", **written}


def text(**nodes: JsonObject) -> str:
    return msgspec.json.encode({"nodes": nodes}).decode()


class Services:
    """Answers by host: (status, body), or an exception to raise. `asked` is who got what."""

    def __init__(self, answers: dict[str, tuple[int, bytes] | str]) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.cancelled: list[str] = []
        self._answers = answers
        self.held: dict[str, asyncio.Event] = {}
        self.both_asked = asyncio.Event()

    async def __call__(self, step: Step, message: Message, forwarded: Forwarded) -> Answered:
        assert step.target is not None
        name = step.target.url.removeprefix("http://").rstrip("/")
        self.asked.append((name, message.body))
        if len(self.asked) == 2:
            self.both_asked.set()
        if name in self.held:
            try:
                await self.held[name].wait()
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
        answer = self._answers[name]
        if isinstance(answer, str):
            raise StepFailed(step.place, answer)
        return Answered(answer[0], Message(answer[1]))

    @property
    def order(self) -> list[str]:
        return [name for name, _ in self.asked]


def executor(graph: str, services: Services, draw: Callable[[], int] = lambda: 0) -> Executor:
    return Executor(read(graph), services, draw)


async def answer(
    graph: str,
    answers: dict[str, tuple[int, bytes] | str],
    request: bytes = b"{}",
    draws: Sequence[int] = (0,),
) -> tuple[int, bytes]:
    """Status and body of one request."""
    drawn = iter(draws)
    found = await executor(graph, Services(answers), lambda: next(drawn)).run(Message(request), Forwarded())
    return found.status, found.message.body
