"""Protobuf's encoding by hand, where a copy or a parse is saved by it."""


def varint(number: int) -> bytes:
    """A length, in protobuf's variable form."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
