"""HPACK's Huffman code (RFC 7541, 5.2 and appendix B), decoded four bits at a step.

The code is canonical: how long each symbol's code is says all of it. A step from a node of the code's tree by four bits
leads to another node and completes one symbol at most, as no code is shorter than five bits.
"""

from collections.abc import Iterator

# Bits of each byte's code, then of the code that ends a string and never comes.
_LENGTHS = bytes.fromhex(
    "0d171c1c1c1c1c1c1c181e1c1c1e1c1c1c1c1c1c1c1c1e1c1c1c1c1c1c1c1c1c060a0a0c0d06080b0a0a080b08060606050505060606"
    "0606060607080f060c0a0d06070707070707070707070707070707070707070707070807080d130d0e060f0506050605060606050707"
    "0606060506070605050607070707070f0b0e0d1c14161414161616171617171717171817181816171817171717151617161717181615"
    "1416161717151716161815161717151516151716171714161616171616171a1a1413161716191a1a1a1b1b1a181913151a1b1b1a1b18"
    "15151a1a1c1b1b1b14181415161515171616191918181a171a1b1a1a1b1b1b1b1b1c1b1b1b1b1b1a1e"
)
_END_OF_STRING = 256
_LONGEST_PADDING = 7

Step = tuple[int, int]
"""(the next node times 16, the completed symbol or -1); a node of -1 is none."""


class NotHuffman(Exception):
    pass


def decoded(data: bytes) -> bytes:
    """NotHuffman for what the code does not have, or padding other than up to seven ones."""
    if not _STEPS:
        _build()
    steps, node = _STEPS, 0
    out = bytearray()
    append = out.append
    for byte in data:
        node, symbol = steps[node + (byte >> 4)]
        if symbol >= 0:
            append(symbol)
        node, symbol = steps[node + (byte & 15)]
        if symbol >= 0:
            append(symbol)
        if node < 0:
            raise NotHuffman
    if not _MAY_END[node >> 4]:
        raise NotHuffman
    return bytes(out)


# Made when first needed, 4 ms: few clients use the code at all.
_STEPS: list[Step] = []
_MAY_END: list[bool] = []
_NOWHERE = -16 * 16
"""Steps from it lead to the end of the table, which is filled with steps back to it."""


def codes() -> Iterator[tuple[int, int, int]]:
    """(symbol, code, bits), the shortest first."""
    code = bits = 0
    for symbol in sorted(range(len(_LENGTHS)), key=lambda symbol: (_LENGTHS[symbol], symbol)):
        code <<= _LENGTHS[symbol] - bits
        bits = _LENGTHS[symbol]
        yield symbol, code, bits
        code += 1


def _build() -> None:
    nodes: list[list[int]] = [[0, 0]]  # by bit: a later node, or a symbol as a negative number
    for symbol, code, bits in codes():
        at = 0
        for bit in range(bits - 1, 0, -1):
            side = code >> bit & 1
            if not nodes[at][side]:
                nodes[at][side] = len(nodes)
                nodes.append([0, 0])
            at = nodes[at][side]
        nodes[at][code & 1] = ~symbol
    _STEPS.extend(_step(nodes, node, nibble) for node in range(len(nodes)) for nibble in range(16))
    _STEPS.extend([(_NOWHERE, -1)] * 272)
    ends = _paddings(nodes)
    _MAY_END.extend(node in ends for node in range(len(nodes)))


def _step(nodes: list[list[int]], node: int, nibble: int) -> Step:
    found = -1
    for bit in (3, 2, 1, 0):
        after = nodes[node][nibble >> bit & 1]
        if after < 0:
            if ~after == _END_OF_STRING:
                return _NOWHERE, -1
            found, after = ~after, 0
        node = after
    return node * 16, found


def _paddings(nodes: list[list[int]]) -> set[int]:
    """Where a string may end: at the root, and after up to seven ones, the beginning of the end of a string."""
    found, node = {0}, 0
    for _ in range(_LONGEST_PADDING):
        node = nodes[node][1]
        found.add(node)
    return found
