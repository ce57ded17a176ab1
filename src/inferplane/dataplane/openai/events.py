"""Server-sent events, as OpenAI's clients read them: `data: {…}` each, and `data: [DONE]` at the end."""

from collections.abc import AsyncIterator
from typing import TypeAlias

import msgspec

from inferplane.dataplane.openai import errors
from inferplane.dataplane.openai.answers import ChatCompletionChunk, Completion

Chunk: TypeAlias = Completion | ChatCompletionChunk

CONTENT_TYPE = b"text/event-stream; charset=utf-8"
HEADERS = ((b"cache-control", b"no-cache"),)

_DONE = b"data: [DONE]\n\n"
_ENCODER = msgspec.json.Encoder()


async def events(chunks: AsyncIterator[Chunk]) -> AsyncIterator[bytes]:
    """What fails after the first chunk is an event too: the status is sent by then."""
    try:
        async for chunk in chunks:
            yield event(chunk)
    except Exception as error:
        told = errors.answer(error)
        errors.log_failure(error, told.status)
        yield b"data: %b\n\n" % errors.body(error, told.status)
    yield _DONE


def event(chunk: Chunk) -> bytes:
    return b"data: %b\n\n" % _ENCODER.encode(chunk)
