"""Bodies as aiohttp wants to be given them."""

from io import BytesIO

_LARGE = 1 << 20


def posted(body: bytes) -> bytes | BytesIO:
    """A large one is sent in parts, and the loop's other tasks get their turn in between."""
    return body if len(body) < _LARGE else BytesIO(body)
