"""What was found wrong, where it is written, and how bad it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from inferplane.cli.manifests import Manifest
from inferplane.kernel.json import Json, JsonObject


class Severity(StrEnum):
    ERROR = "error"
    """A cluster would refuse it, or could not serve it."""

    WARNING = "warning"
    """It is taken, but not all of it has the effect that was meant, or could not be looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`path` of the field (`spec.predictor.model`), "" for the object as a whole."""

    manifest: Manifest
    path: str
    message: str
    severity: Severity = Severity.ERROR
    line: int = 0

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        mark = "" if self.is_error else "warning: "
        path = f"{self.path}: " if self.path else ""
        return f"{self.manifest.file}:{self.at}: {mark}{path}{self.message}"

    @property
    def at(self) -> int:
        return self.line or self.manifest.line_of(self.path)

    def document(self) -> JsonObject:
        """For programs."""
        return {
            "file": self.manifest.file,
            "line": self.at,
            "object": f"{self.manifest.kind.lower()}/{self.manifest.name}",
            "path": self.path,
            "severity": self.severity.value,
            "message": self.message,
        }


def documents(findings: Iterable[Finding]) -> list[Json]:
    return [one.document() for one in findings]
