"""The end of a connection whose client may still have something to read."""

import asyncio


def end_sending(transport: asyncio.Transport) -> None:
    """Says that no more will come, and leaves the client time to read what did; closing at once could discard it.

    TLS has no such half: there what was written is sent and the connection is closed. A client that has already gone
    is let go.
    """
    if not transport.can_write_eof():
        transport.close()
        return
    try:
        transport.write_eof()
    except OSError:
        transport.abort()
