"""How a client talks: patience, retries, TLS, headers. The same for every kind of client."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from inferplane.client.inference.errors import ClientError, ConnectionLost, Unreachable
from inferplane.kernel.backoff import Backoff

PAUSES = Backoff(first=0.1, limit=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`timeout` in seconds, None for none. `retries`: how often a request that failed is sent again.

    Sent again is what certainly did not run: no connection could be made. With `idempotent` also what may have run,
    because the connection broke before the answer.
    """

    timeout: float | None = 60.0
    retries: int = 2
    idempotent: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    ca: str | None = None
    """A file of PEM certificates that are trusted instead of the system's."""
    cert: tuple[str, str] | str | None = None
    """The client's certificate: one PEM file, or (certificate, key)."""
    verify: bool = True
    """False takes any certificate: whoever sits between can read and change everything."""

    def again(self, error: ClientError, failures: int) -> bool:
        """Whether to send the request again after the `failures`-th failure."""
        if failures > self.retries:
            return False
        return isinstance(error, Unreachable) or (self.idempotent and isinstance(error, ConnectionLost))

    def tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert is not None:
            pair = (self.cert,) if isinstance(self.cert, str) else self.cert
            context.load_cert_chain(*pair)
        return context
