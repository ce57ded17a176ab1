"""An explanation as the lines that the terminal shows. Pure."""

from collections.abc import Iterator

from inferplane.cli.why.causes import Kind
from inferplane.cli.why.decide import Explanation

SHOWN_LINES = 10


def render(explanation: Explanation) -> list[str]:
    """One line for a service that is fine; headline, causes with evidence and fix, last log lines, next command."""
    return [explanation.headline, *explanation.notes] if explanation.fine else list(_lines(explanation))


def _lines(explanation: Explanation) -> Iterator[str]:
    yield explanation.headline
    for cause in explanation.causes:
        if cause.kind is not Kind.NOT_FOUND:
            yield f"  {cause.subject}: {cause.summary}"
        yield from (f"    {detail}" for detail in cause.details)
        if cause.fix:
            yield f"  fix   {cause.fix}"
    if explanation.log_lines:
        yield f"  last lines of {explanation.log_pod}:"
        yield from (f"    {line}" for line in explanation.log_lines[-SHOWN_LINES:])
    if explanation.next:
        yield f"next: {explanation.next}"
