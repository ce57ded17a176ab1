"""What is generated, and what is generated together: values and decisions, without tensors, threads or clocks.

A request becomes `Run`s, one a text. They wait in line, are admitted in order of arrival while there is room in the
batch, and each goes on token by token until it ends by itself, by a stop string or at its limit.
"""

import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from inferplane.dataplane.runtimes.huggingface.text import Decode, Detokenizer, StopStrings

Ended = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. Temperature 0 takes the likeliest one.

    `top_k` 0 and `top_p` 1 cut nothing. Penalties are OpenAI's, of what was generated; `repetition_penalty` is that of
    transformers, of the prompt too. `bias` is added to the scores of tokens. `logprobs` is how many of the likeliest
    tokens to tell beside the chosen one, None for nothing.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    bias: tuple[tuple[int, float], ...] = ()
    logprobs: int | None = None

    @property
    def adjusts(self) -> bool:
        """Whether scores are changed before anything is chosen."""
        return bool(self.presence_penalty or self.frequency_penalty or self.repetition_penalty != 1.0 or self.bias)

    @property
    def plain(self) -> bool:
        """Whether the likeliest token is all that is asked for."""
        return self.temperature <= 0 and self.logprobs is None and not self.adjusts


@dataclass(frozen=True, slots=True)
class Limits:
    """When a text ends: at one of the tokens `ends`, before one of the texts `stops`, or after `max_tokens`."""

    max_tokens: int
    stops: tuple[str, ...] = ()
    ends: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Alternative:
    token: int
    logprob: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """`logprob` and `others`, the likeliest first, where they were asked for."""

    token: int
    logprob: float | None = None
    others: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """More of the text number `index`. `count` is how many tokens it has by now, the one that ended it among them."""

    index: int
    text: str
    count: int
    ended: Ended | None
    chosen: tuple[Chosen, ...] = ()


class Run:
    """One text on its way. `prompt` is tokens; `seed` None is a new one each time."""

    def __init__(
        self,
        index: int,
        prompt: Sequence[int],
        sampling: Sampling,
        limits: Limits,
        decode: Decode,
        seed: int | None = None,
    ) -> None:
        self.index = index
        self.prompt = prompt
        self.sampling = sampling
        self.limits = limits
        self.random = random.Random(seed)
        self.tokens: list[int] = []
        self.counts: dict[int, int] = {}
        self.ended: Ended | None = None
        self._text = Detokenizer(decode)
        self._stops = StopStrings(limits.stops)
        self._untold: list[Chosen] = []

    def take(self, chosen: Chosen) -> Piece | None:
        """The next token; what there is to tell of it. `ended` is set with the last one."""
        token = chosen.token
        self.tokens.append(token)
        if self.sampling.adjusts:
            self.counts[token] = self.counts.get(token, 0) + 1
        if chosen.logprob is not None:
            self._untold.append(chosen)
        text, stopped = ("", True) if token in self.limits.ends else self._stops.add(self._text.add(token))
        if stopped:
            self.ended = "stop"
            return self._piece(text + (self._remains() if token in self.limits.ends else ""))
        if len(self.tokens) >= self.limits.max_tokens:
            self.ended = "length"
            return self._piece(text + self._remains())
        return self._piece(text) if text else None

    def _remains(self) -> str:
        """What was held back; a stop string in it still ends the text before it."""
        text, stopped = self._stops.add(self._text.rest())
        if stopped:
            self.ended = "stop"
            return text
        return text + self._stops.rest()

    def _piece(self, text: str) -> Piece:
        untold, self._untold = tuple(self._untold), []
        return Piece(self.index, text, len(self.tokens), self.ended, untold)


T = TypeVar("T")


@dataclass(slots=True)
class Waiting(Generic[T]):
    """First come, first served. `most` may wait."""

    most: int
    _line: deque[T] = field(default_factory=deque)

    def __len__(self) -> int:
        return len(self._line)

    def __iter__(self) -> Iterator[T]:
        return iter(self._line)

    def has_room(self, count: int) -> bool:
        """A request of more than may ever wait is taken when nothing else waits."""
        return len(self._line) + count <= self.most or not self._line

    def add(self, runs: Iterable[T]) -> None:
        self._line.extend(runs)

    def take(self, count: int) -> list[T]:
        return [self._line.popleft() for _ in range(min(count, len(self._line)))]

    def drop(self, gone: Iterable[T]) -> None:
        lost = set(map(id, gone))
        self._line = deque(one for one in self._line if id(one) not in lost)


_PADDING = 1.5
"""A group of prompts may be so many times what they need: what is padded is computed for nothing, but reading the
model's weights once for several short prompts is worth more than that."""


def together(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Which prompts, by index, are computed at once: padded to the longest, a group has at most `most` tokens.

    Those that came first are in the first groups as far as lengths allow.
    """
    groups: list[list[int]] = []
    left = list(range(len(lengths)))
    while left:
        group = [left[0]]
        for index in left[1:]:
            longest = max(lengths[one] for one in [*group, index])
            padded = longest * (len(group) + 1)
            if padded <= most and padded <= _PADDING * (sum(lengths[one] for one in group) + lengths[index]):
                group.append(index)
        left = [index for index in left if index not in group]
        groups.append(group)
    return groups
