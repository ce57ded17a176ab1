"""The header in which a client says how long it waits."""

_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def seconds(timeout: str) -> float | None:
    """A `grpc-timeout`, such as 100m; None for what is none."""
    digits, unit = timeout[:-1], _UNITS.get(timeout[-1:])
    return int(digits) * unit if unit and digits.isascii() and digits.isdigit() and len(digits) <= 8 else None
