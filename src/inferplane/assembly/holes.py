"""The holes that imports leave in memory, filled before a process is forked.

Python puts a new object into the first hole of its size. After an import of scikit-learn holes are all over 50 MB, so
each of the first objects of a fork would be written to another page and the system would copy that page for it. With
the holes filled, a fork's objects lie side by side in pages of their own.
"""

_SIZES = range(48, 513, 16)
"""Bytes. Python's own allocator has a class of objects for each; larger ones are the C library's."""

_POOL = 16 * 1024
"""Bytes that hold objects of one class, side by side, when none was there before."""

_MOST = 1024 * 1024
"""Bytes a class. Reached only where an allocator does not work like that."""


def filled() -> list[bytes]:
    """What fills them; they are holes again when it goes."""
    return [filler for size in _SIZES for filler in _filling(size)]


def _filling(size: int) -> list[bytes]:
    """Objects of `size` bytes up to the first that have a place of their own, which lie side by side."""
    length = size - b"".__sizeof__()
    row, last = 0, 0
    fillers: list[bytes] = []
    while row < _POOL // size // 2 and len(fillers) < _MOST // size:
        filler = bytes(length)
        row = row + 1 if id(filler) - last == size else 0
        last = id(filler)
        fillers.append(filler)
    return fillers
