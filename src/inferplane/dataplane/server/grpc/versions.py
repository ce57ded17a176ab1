"""Versions of models: a model has one, which an empty version means, and which Triton's clients call 1."""

from inferplane.inference.errors import InferenceFailure, Kind

SERVED = ("", "1")


class UnknownVersion(InferenceFailure):
    kind = Kind.NOT_FOUND

    def __init__(self, name: str, version: str) -> None:
        super().__init__(f"Model with name {name} has no version {version}", fix="leave the version empty")


def check(name: str, version: str | None) -> None:
    """Raises UnknownVersion."""
    if version and version not in SERVED:
        raise UnknownVersion(name, version)
