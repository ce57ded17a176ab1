"""The channel protocol of `kubectl exec` and `attach` over a WebSocket, and the Status that ends it.

Each binary message begins with the number of its channel. Version 5 adds one message from the client: `CLOSE` and a
channel's number, which ends that channel (standard input, that is). Port forwarding in version 4 has two channels a
port, for data and for errors, and the first message on each is the port's number (2 bytes, little endian).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from inferplane.kernel.json import Json, JsonObject

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
COMMANDS: Final = (V5, V4)
"""Subprotocols of exec and attach, the best first."""
SPDY: Final = "SPDY/3.1+portforward.k8s.io"
"""kubectl's port forwarding: SPDY/3.1 inside of the WebSocket's binary messages."""
FORWARDING: Final = (SPDY, V4)

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255

# kubectl knows a command's exit code by these two words.
_NON_ZERO, _EXIT_CODE = "NonZeroExitCode", "ExitCode"


def chosen(offered: Sequence[str], known: Sequence[str]) -> str:
    """The best subprotocol that both sides speak, "" for none."""
    return next((one for one in known if one in offered), "")


def message(channel: int, data: bytes) -> bytes:
    return bytes((channel,)) + data


def error_message(status: JsonObject) -> bytes:
    return message(ERROR, msgspec.json.encode(status))


def success() -> JsonObject:
    return {"metadata": {}, "status": "Success"}


def ended(code: int) -> JsonObject:
    """The Status of a command that ended by itself."""
    if code == 0:
        return success()
    causes: list[Json] = [{"reason": _EXIT_CODE, "message": str(code)}]
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": _NON_ZERO,
        "details": {"causes": causes},
    }


def failed(why: str) -> JsonObject:
    """The Status of a command that could not be run, or whose container isn't there (any more)."""
    causes: list[Json] = [{"message": why}]
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {why}",
        "reason": "InternalError",
        "details": {"causes": causes},
        "code": 500,
    }
