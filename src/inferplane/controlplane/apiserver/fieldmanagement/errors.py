"""Why an apply was refused."""

from collections.abc import Sequence

from inferplane.kernel.errors import InferplaneError
from inferplane.resources.schemas import FieldError


class ApplyConflict(InferplaneError):
    """409: other managers own fields that the applied object would change. `causes` has one entry a field."""

    def __init__(self, message: str, causes: Sequence[FieldError]) -> None:
        super().__init__(message)
        self.causes = tuple(causes)


class ApplyInvalid(InferplaneError):
    """500, as a real server has it: the applied object doesn't fit the schema of its kind."""
