"""What a client may ask of a connection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    body: int = 256 * 1024 * 1024
    target: int = 16 * 1024
    head: int = 64 * 1024
    pipelined: int = 64
    """Requests read ahead of the one being answered; then the connection is not read from."""
    head_timeout: float = 30.0
    """From a request's first byte to the end of its head."""
    body_timeout: float = 30.0
    """Between two pieces of a body."""
    write_timeout: float = 60.0
    """For a client that does not read its answer."""
    keep_alive: float = 65.0
    """Between an answer and the next request."""
    linger: float = 2.0
    """After an answer that refuses the rest of a request: time for the client to read it."""
    lame_duck: float = 1.0
    """After the signal to stop: still accepting, but answering with `connection: close`."""
    grace: float = 25.0
    """Then, for the requests in progress; Kubernetes kills 30 s after the signal."""
