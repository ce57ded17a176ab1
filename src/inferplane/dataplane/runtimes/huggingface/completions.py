"""`/v1/completions`: prompts as texts or tokens → runs; pieces → one answer, or a chunk each."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from inferplane.dataplane.openai.answers import Completion, CompletionChoice, CompletionLogprobs, Usage
from inferplane.dataplane.openai.errors import InvalidField
from inferplane.dataplane.openai.requests import CompletionRequest
from inferplane.dataplane.runtimes.huggingface.asked import Asked, Speaker, asked
from inferplane.dataplane.runtimes.huggingface.batching import Chosen, Piece, Run
from inferplane.inference.errors import Unimplemented

MAX_TOKENS = 16
"""OpenAI's, of requests that do not say how many."""


def asked_for(request: CompletionRequest, speaker: Speaker) -> Asked:
    if request.suffix:
        raise Unimplemented("suffix: texts are completed at their end only", fix="leave it out")
    if request.best_of is not None and request.best_of != (request.n or 1):
        raise Unimplemented("best_of: all texts that are made are answered", fix="leave it out, or make it n")
    if request.echo and request.logprobs is not None:
        raise Unimplemented("echo with logprobs: the prompt's tokens are not told", fix="leave one of them out")
    if request.echo and speaker.apart:
        raise InvalidField("echo", "'echo' is not supported by encoder-decoder models")
    return asked(request, speaker, request.max_tokens, request.logprobs, usual=MAX_TOKENS)


def prompts_of(request: CompletionRequest, encode: Callable[[str], list[int]], speaker: Speaker) -> list[list[int]]:
    """Tokens of each prompt."""
    given = request.prompt
    if isinstance(given, str):
        return [encode(given)]
    if not given:
        raise InvalidField("prompt", "prompt: expected at least one")
    if isinstance(given[0], int):
        given = [given]
    return [encode(one) if isinstance(one, str) else _checked(one, speaker) for one in given]


def _checked(tokens: list[int], speaker: Speaker) -> list[int]:
    for token in tokens:
        if not 0 <= token < speaker.vocabulary:
            raise InvalidField("prompt", f"prompt: expected tokens from 0 to {speaker.vocabulary - 1}, got {token}")
    return tokens


@dataclass(slots=True)
class _Told:
    """Of one choice, so far."""

    text: str = ""
    chosen: list[Chosen] = field(default_factory=list)
    last: Piece | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Completions:
    """The form of one request's answers. `echoed` is the text that each choice begins with, if any."""

    id: str
    created: int
    model: str
    runs: Sequence[Run]
    speaker: Speaker
    echoed: Sequence[str]
    wants_logprobs: bool
    include_usage: bool

    async def whole(self, pieces: AsyncIterable[Sequence[Piece]]) -> Completion:
        told = [_Told(text) for text in self.echoed]
        async for some in pieces:
            for piece in some:
                one = told[piece.index]
                one.text += piece.text
                one.chosen += piece.chosen
                one.last = piece
        choices = [
            CompletionChoice(
                index=index,
                text=one.text,
                logprobs=self._logprobs(one.chosen, 0),
                finish_reason=None if one.last is None else one.last.ended,
            )
            for index, one in enumerate(told)
        ]
        return self._completion(choices, usage(self.runs))

    async def chunks(self, pieces: AsyncIterable[Sequence[Piece]]) -> AsyncIterator[Completion]:
        offsets = [0] * len(self.runs)
        for index, text in enumerate(self.echoed):
            if text:
                yield self._completion([CompletionChoice(index=index, text=text, logprobs=None, finish_reason=None)])
        async for some in pieces:
            for piece in merged(some):
                logprobs = self._logprobs(piece.chosen, offsets[piece.index])
                offsets[piece.index] += len(piece.text)
                choice = CompletionChoice(
                    index=piece.index, text=piece.text, logprobs=logprobs, finish_reason=piece.ended
                )
                yield self._completion([choice])
        if self.include_usage:
            yield self._completion([], usage(self.runs))

    def _completion(self, choices: list[CompletionChoice], usage: Usage | None = None) -> Completion:
        return Completion(
            id=self.id, object="text_completion", created=self.created, model=self.model, choices=choices, usage=usage
        )

    def _logprobs(self, chosen: Sequence[Chosen], offset: int) -> CompletionLogprobs | None:
        if not self.wants_logprobs:
            return None
        tokens = [self.speaker.decode([one.token]) for one in chosen]
        offsets = []
        for token in tokens:
            offsets.append(offset)
            offset += len(token)
        return CompletionLogprobs(
            text_offset=offsets,
            token_logprobs=[one.logprob or 0.0 for one in chosen],
            tokens=tokens,
            top_logprobs=[
                {self.speaker.decode([other.token]): other.logprob for other in one.others} for one in chosen
            ],
        )


def usage(runs: Sequence[Run]) -> Usage:
    """A prompt that is answered several times counts once."""
    prompts = {id(run.prompt): len(run.prompt) for run in runs}
    read, made = sum(prompts.values()), sum(len(run.tokens) for run in runs)
    return Usage(prompt_tokens=read, completion_tokens=made, total_tokens=read + made)


def merged(pieces: Sequence[Piece]) -> Sequence[Piece]:
    """One a text: of those that came while the client read the ones before."""
    if len(pieces) == 1:
        return pieces
    found: dict[int, Piece] = {}
    for piece in pieces:
        before = found.get(piece.index)
        found[piece.index] = (
            piece
            if before is None
            else Piece(piece.index, before.text + piece.text, piece.count, piece.ended, before.chosen + piece.chosen)
        )
    return [*found.values()]
