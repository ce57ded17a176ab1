"""The activator's gate: which revision a request is for, and its place in that one's line."""

from inferplane.controlplane.activator.answers import NAMESPACE, REVISION, probed, revision_named, unknown
from inferplane.controlplane.activator.buffer import Buffer, Call
from inferplane.relay.answers import Answer
from inferplane.relay.gate import Asked, Request


class Door:
    """A `relay.gate.Gate`."""

    hidden = frozenset((REVISION, NAMESPACE))

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer

    @property
    def calls(self) -> int:
        return self._buffer.calls

    def admit(self, asked: Asked, request: Request) -> Call | Answer:
        if (answer := probed(asked.names)) is not None:
            return answer
        revision = revision_named(asked.names, asked.host)
        return unknown(None) if revision is None else self._buffer.arrive(revision, request)

    def close(self) -> None:
        self._buffer.close()
