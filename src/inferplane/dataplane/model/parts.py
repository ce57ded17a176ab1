"""Answers in parts: what authors may return instead of one result."""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any

_END = object()


def streamed(result: Any) -> Any:
    """A sync generator as an async one, each of its steps on a thread; any other result as it is."""
    return _stepped(result) if isinstance(result, Generator) else result


async def _stepped(parts: "Generator[Any, Any, Any]") -> AsyncIterator[Any]:
    try:
        while (part := await asyncio.to_thread(next, parts, _END)) is not _END:
            yield part
    finally:
        # On the loop's thread: by now nobody is inside the generator.
        parts.close()


async def as_bytes(parts: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    """Text encoded. A client that leaves ends `parts` too."""
    try:
        async for part in parts:
            yield part.encode() if isinstance(part, str) else bytes(part)
    finally:
        close = getattr(parts, "aclose", None)
        if close is not None:
            await close()
