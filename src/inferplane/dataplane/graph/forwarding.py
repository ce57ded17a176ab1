"""Which headers of a request go on to the steps: those that a pattern of `PROPAGATE_HEADERS` finds, and the trace's.

KServe's rules: a pattern is a regular expression that is looked for anywhere in the header's canonical name
(`X-Request-Id`); one that is no regular expression is left out. The trace (W3C) and the request's id always go on. What
is about the connection or the framing of the body never does.
"""

import re
from collections.abc import Iterable, Mapping

ALWAYS = frozenset({"traceparent", "tracestate", "x-request-id"})
NEVER = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "inference-header-content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
CONTENT_TYPE = "content-type"
_REMEMBERED = 1024


class Propagation:
    """`invalid`: the patterns that are none, each with why."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.invalid: dict[str, str] = {}
        self._patterns: list[re.Pattern[str]] = []
        self._known: dict[str, bool] = {}
        for one in patterns:
            try:
                self._patterns.append(re.compile(one))
            except re.error as error:
                self.invalid[one] = str(error)

    def of(self, headers: Mapping[str, str]) -> "Forwarded":
        """`headers` have lower-case names."""
        lines = [
            f"{name}: {value}\r\n"
            for name, value in headers.items()
            if name != CONTENT_TYPE and (name in ALWAYS or self._goes_on(name))
        ]
        kind = headers.get(CONTENT_TYPE, "") if self._patterns and self._goes_on(CONTENT_TYPE) else ""
        return Forwarded("".join(lines).encode("latin-1"), kind.encode("latin-1"))

    def _goes_on(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()  # names are the client's to make up
            canonical = "-".join(part.capitalize() for part in name.split("-"))
            known = name not in NEVER and any(one.search(canonical) for one in self._patterns)
            self._known[name] = known
        return known


class Forwarded:
    """Header lines for the wire, the same for all steps. `content_type` is the client's, where it goes on."""

    __slots__ = ("content_type", "lines")

    def __init__(self, lines: bytes = b"", content_type: bytes = b"") -> None:
        self.lines = lines
        self.content_type = content_type


def patterns(variable: str | None) -> list[str]:
    """Of the environment variable PROPAGATE_HEADERS: separated by commas."""
    return variable.split(",") if variable else []
