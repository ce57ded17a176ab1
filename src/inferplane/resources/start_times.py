"""When the steps of a pod's start happened: the node records it in an annotation of the pod, in milliseconds.

Kubernetes' own times have whole seconds, which is longer than a warm start takes. The activator reads them for the
`Server-Timing` of the request that waited; a pod without the annotation, or without a step, is as good.
"""

import msgspec

START_TIMES = "inferplane.dev/start-times"


class StartTimes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Unix times in milliseconds; None where a step is not known."""

    scheduled: float | None = None
    """The node saw the pod that is bound to it."""
    forked: float | None = None
    """The container's process exists."""
    loaded: float | None = None
    """It said, or its probe found, that it can answer."""
    ready: float | None = None
    """The node wrote that the pod is ready."""


def read_start_times(text: str) -> StartTimes:
    """From the annotation's JSON. What can't be read is not known: nothing depends on it."""
    try:
        return msgspec.json.decode(text, type=StartTimes) if text else StartTimes()
    except msgspec.DecodeError:
        return StartTimes()


def write_start_times(times: StartTimes) -> str:
    return msgspec.json.encode(times).decode()
