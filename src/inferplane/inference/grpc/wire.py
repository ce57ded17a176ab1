"""Protobuf's encoding by hand, where a copy or a parse is saved by it."""


def varint(number: int) -> bytes:
    """A length, in protobuf's variable form."""
    if number < 0x80:
        return _ONE_BYTE[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_ONE_BYTE = [bytes((number,)) for number in range(0x80)]


def without(body: bytes, field: int) -> tuple[bytes, list[memoryview]] | None:
    """A message without its length-delimited fields of this number, and their contents as views into the body.

    None for a message with other than length-delimited fields, or one that breaks off: protobuf then says what it is.
    """
    view = memoryview(body)
    kept: list[memoryview] = []
    taken: list[memoryview] = []
    at = 0
    while at < len(body):
        start = at
        try:
            key, at = read_varint(body, at)
            size, at = read_varint(body, at)
        except IndexError:
            return None
        if key & 7 != _LENGTH_DELIMITED or at + size > len(body):
            return None
        if key >> 3 == field:
            taken.append(view[at : at + size])
        else:
            kept.append(view[start : at + size])
        at += size
    return b"".join(kept), taken


_LENGTH_DELIMITED = 2


def read_varint(body: bytes, at: int) -> tuple[int, int]:
    """The number and where the next field begins; IndexError past the end."""
    number = shift = 0
    while (byte := body[at]) > 0x7F:
        number |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    return number | byte << shift, at + 1
