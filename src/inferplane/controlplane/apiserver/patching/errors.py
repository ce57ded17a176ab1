"""A patch that can't be applied."""

from inferplane.kernel.errors import InferplaneError


class PatchError(InferplaneError):
    """`status` is the HTTP status that Kubernetes answers with: 400 malformed, 422 doesn't fit, 500 senseless."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
