"""What a request asks of generation: its fields, checked, as `Sampling` and `Limits`.

OpenAI's defaults and ranges hold for its endpoints, with the fields of other servers beside them (`requests.py`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inferplane.dataplane.openai.errors import InvalidField
from inferplane.dataplane.openai.requests import Sampled
from inferplane.dataplane.runtimes.huggingface.batching import Limits, Run, Sampling
from inferplane.dataplane.runtimes.huggingface.text import Decode

MOST_LOGPROBS = 20
MOST_TEXTS = 128
"""Of one request: prompts times `n`."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """What is to be known of a model to ask it. `ends` are its end tokens; `context` is how many tokens prompt and
    answer have together, or, with `apart`, each. `vocabulary` is the number of tokens there are."""

    name: str
    decode: Decode
    ends: frozenset[int]
    context: int
    vocabulary: int
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. Each prompt is answered `n` times, with `max_tokens` at most; None is `usual`, or what the context
    leaves, and where that is None too all that it leaves."""

    sampling: Sampling
    n: int
    seed: int | None
    max_tokens: int | None
    usual: int | None
    stops: tuple[str, ...]
    ends: frozenset[int]

    def runs(self, prompts: Sequence[Sequence[int]], speaker: Speaker, param: str) -> list[Run]:
        """Number `n` times the prompt's is the first of a prompt. `param` is the field that has the prompts."""
        if len(prompts) * self.n > MOST_TEXTS:
            raise InvalidField("n", f"{param}, n: expected {MOST_TEXTS} texts at most, got {len(prompts) * self.n}")
        runs: list[Run] = []
        for prompt in prompts:
            limits = Limits(self._room(len(prompt), speaker, param), self.stops, self.ends)
            for number in range(self.n):
                seed = None if self.seed is None else self.seed + number
                runs.append(Run(len(runs), prompt, self.sampling, limits, speaker.decode, seed))
        return runs

    def _room(self, length: int, speaker: Speaker, param: str) -> int:
        """How many tokens the answer may have."""
        if length == 0:
            raise InvalidField(param, f"{param}: expected a text of at least one token")
        used = 0 if speaker.apart else length
        left, asked = speaker.context - used, self.max_tokens
        too_long = speaker.apart and length > speaker.context
        if too_long or left < (1 if asked is None else asked):
            wanted = f"{length} in {param}" + (f" and {asked} for the answer" if asked is not None else "")
            raise InvalidField(
                param,
                f"the model's maximum context length is {speaker.context} tokens, and {length + (asked or 1)} were "
                f"asked for: {wanted}",
                code="context_length_exceeded",
                fix="send a shorter text, or ask for fewer tokens",
            )
        if asked is None:
            return left if self.usual is None else min(left, self.usual)
        return asked


def asked(
    request: Sampled,
    speaker: Speaker,
    max_tokens: int | None,
    logprobs: int | None,
    *,
    usual: int | None = None,
    temperature: float = 1.0,
) -> Asked:
    """`usual` tokens and `temperature` are those of requests that say nothing."""
    _check(request)
    if max_tokens is not None and max_tokens < 1:
        raise InvalidField("max_tokens", f"max_tokens: expected 1 or more, got {max_tokens}")
    if logprobs is not None and not 0 <= logprobs <= MOST_LOGPROBS:
        raise InvalidField("logprobs", f"logprobs: expected 0 to {MOST_LOGPROBS}, got {logprobs}")
    return Asked(
        sampling=Sampling(
            temperature=temperature if request.temperature is None else request.temperature,
            top_p=1.0 if request.top_p is None else request.top_p,
            top_k=max(0, request.top_k or 0),
            presence_penalty=request.presence_penalty or 0.0,
            frequency_penalty=request.frequency_penalty or 0.0,
            repetition_penalty=request.repetition_penalty or 1.0,
            bias=_bias(request, speaker),
            logprobs=None if logprobs is None else min(logprobs, speaker.vocabulary),
        ),
        n=request.n or 1,
        seed=request.seed,
        max_tokens=max_tokens,
        usual=usual,
        stops=_stops(request),
        ends=(frozenset() if request.ignore_eos else speaker.ends) | frozenset(request.stop_token_ids or ()),
    )


_RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "temperature": ("0 to 2", lambda value: 0 <= value <= 2),
    "top_p": ("above 0, to 1", lambda value: 0 < value <= 1),
    "top_k": ("1 or more, or 0 or -1 for all", lambda value: value >= -1),
    "presence_penalty": ("-2 to 2", lambda value: -2 <= value <= 2),
    "frequency_penalty": ("-2 to 2", lambda value: -2 <= value <= 2),
    "repetition_penalty": ("above 0", lambda value: 0 < value < math.inf),
    "n": (f"1 to {MOST_TEXTS}", lambda value: 1 <= value <= MOST_TEXTS),
}


def _check(request: Sampled) -> None:
    for field, (expected, fits) in _RANGES.items():
        value = getattr(request, field)
        if value is not None and not fits(value):
            raise InvalidField(field, f"{field}: expected {expected}, got {value:g}")
    if request.stream_options is not None and not request.stream:
        raise InvalidField("stream_options", "stream_options: only with stream: true")


def _stops(request: Sampled) -> tuple[str, ...]:
    stops = (request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ())
    if "" in stops:
        raise InvalidField("stop", "stop: expected texts that are not empty")
    return stops


def _bias(request: Sampled, speaker: Speaker) -> tuple[tuple[int, float], ...]:
    found = []
    for token, value in (request.logit_bias or {}).items():
        if not (token.isdecimal() and int(token) < speaker.vocabulary):
            raise InvalidField(
                "logit_bias", f"logit_bias: expected tokens from 0 to {speaker.vocabulary - 1}, got {token[:20]!r}"
            )
        if not -100 <= value <= 100:
            raise InvalidField("logit_bias", f"logit_bias.{token}: expected -100 to 100, got {value:g}")
        found.append((int(token), value))
    return tuple(found)
