"""What a real run did, to be drawn beside the simulated one: seconds as `simulate -o json` prints them.

A recorder gives what it knows of each second; what is left out is nothing (averages: not known).
"""

from pathlib import Path

import msgspec

from inferplane.controlplane.autoscaling.simulate import Frame
from inferplane.kernel.errors import InferplaneError


class Second(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    t: float
    rate: float = 0.0
    in_flight: float = 0.0
    waiting: int = 0
    wanted: int = 0
    replicas: int = 0
    ready: int = 0
    is_panicking: bool = False
    through_activator: bool = False
    stable: float | None = None
    panic: float | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    frames: list[Second]


def read(file: Path) -> list[Frame]:
    """Raises InferplaneError for a file that cannot be read or holds no second."""
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Measured).frames
    except OSError as error:
        raise InferplaneError(f"{file}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise InferplaneError(f"{file}: {error}", fix="expected what  simulate -o json  prints") from error
    if not found:
        raise InferplaneError(f"{file}: frames: expected a second at least, got none")
    return [Frame(**msgspec.structs.asdict(one)) for one in found]
