"""What every place that events go to has in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferplane.dataplane.agent.events import Event
from inferplane.kernel.errors import InferplaneError


class Unavailable(InferplaneError):
    """The sink may take the same events later. `after` is how many seconds it wants to be left alone, 0 if unsaid."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class Refused(InferplaneError):
    """The sink will never take these events."""


class WrongSink(InferplaneError):
    """A URL that events cannot be sent to."""


@dataclass(frozen=True, slots=True)
class Batch:
    """How many events go together. Fewer than `least` wait until they are as many, `wait` seconds at most (0: for
    ever); `apart`: requests and responses are never in one batch."""

    least: int = 1
    most: int = 1
    wait: float = 0.0
    apart: bool = False


class Sink(Protocol):
    """`name` is the URL as it may be told. `senders` calls of `send` may be under way at the same time."""

    name: str
    batch: Batch
    senders: int

    async def send(self, events: Sequence[Event]) -> None:
        """Returns when the sink has the events. Raises Unavailable, Refused."""
        ...

    async def close(self) -> None: ...
