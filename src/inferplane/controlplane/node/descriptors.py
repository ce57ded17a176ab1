"""Pipes and terminals in the event loop: a block read, or all of a block written, without a thread for either."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable

_BLOCK = 1 << 16


async def blocks(descriptor: int) -> AsyncIterator[bytes]:
    """What can be read until the other side has closed. The descriptor must not block."""
    while True:
        try:
            data = os.read(descriptor, _BLOCK)
        except BlockingIOError:
            await _until(descriptor, asyncio.get_running_loop().add_reader, asyncio.get_running_loop().remove_reader)
            continue
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return  # a terminal whose last process has closed it
        if not data:
            return
        yield data


def at_hand(descriptor: int) -> bytes:
    """A block of what is there to be read at this moment, b"" when there is nothing."""
    try:
        return os.read(descriptor, _BLOCK)
    except OSError:
        return b""


async def write(descriptor: int, data: bytes) -> None:
    """Raises OSError, BrokenPipeError for one, when nobody reads any more. The descriptor must not block."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            await _until(descriptor, asyncio.get_running_loop().add_writer, asyncio.get_running_loop().remove_writer)


async def ended(pid: int) -> None:
    """Returns once the process, which need not be our child, has ended; at once when there is none."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await _until(descriptor, asyncio.get_running_loop().add_reader, asyncio.get_running_loop().remove_reader)
    finally:
        os.close(descriptor)


async def _until(descriptor: int, watch: Callable[..., None], unwatch: Callable[[int], bool]) -> None:
    happened = asyncio.Event()
    watch(descriptor, happened.set)
    try:
        await happened.wait()
    finally:
        unwatch(descriptor)
