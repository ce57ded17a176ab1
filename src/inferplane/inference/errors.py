"""Why an inference call fails. Each error has one `Reason`; a transport has one table from reasons to codes.

The class names are KServe's, so that model authors' `raise` and `except` lines keep working.
"""

from enum import StrEnum
from typing import ClassVar

from inferplane.kernel.errors import InferplaneError


class Reason(StrEnum):
    INVALID_INPUT = "InvalidInput"
    """The request can be read, but its values do not fit the protocol or the model."""
    MALFORMED = "Malformed"
    """The request does not have the protocol's form: not JSON, a field missing or of the wrong type."""
    NOT_FOUND = "NotFound"
    NOT_READY = "NotReady"
    UNIMPLEMENTED = "Unimplemented"
    DEADLINE = "DeadlineExceeded"
    """The time that the client or the server allows is over."""
    OVERLOADED = "Overloaded"
    """More requests wait than may."""
    FAILED = "Failed"
    """The model, or the server, is at fault."""


class InferenceFailure(InferplaneError):
    """Root of everything below."""

    reason: ClassVar[Reason] = Reason.FAILED


class InvalidInput(InferenceFailure):
    reason = Reason.INVALID_INPUT


class Malformed(InferenceFailure):
    """`where` is the JSON path of the offending field, empty for the whole body."""

    reason = Reason.MALFORMED

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class InferenceError(InferenceFailure):
    """A model that raised while it computed."""


class ModelNotFound(InferenceFailure):
    reason = Reason.NOT_FOUND

    def __init__(self, model_name: str) -> None:
        super().__init__(f"Model with name {model_name} does not exist.")


class ModelNotReady(InferenceFailure):
    reason = Reason.NOT_READY

    def __init__(self, model_name: str, detail: str = "") -> None:
        super().__init__(f"Model with name {model_name} is not ready." + (f" {detail}" if detail else ""))


class ServerNotReady(InferenceFailure):
    reason = Reason.NOT_READY

    def __init__(self, detail: str = "") -> None:
        super().__init__("Server is not ready." + (f" {detail}" if detail else ""))


class DeadlineExceeded(InferenceFailure):
    reason = Reason.DEADLINE

    def __init__(self, model_name: str) -> None:
        super().__init__(f"Model with name {model_name} did not answer in time.")


class Overloaded(InferenceFailure):
    """`retry_after` in whole seconds: when there should be room."""

    reason = Reason.OVERLOADED

    def __init__(self, model_name: str, waiting: int, retry_after: int) -> None:
        super().__init__(f"Model with name {model_name} is overloaded: {waiting} requests wait already.")
        self.retry_after = retry_after


class UnsupportedProtocol(InferenceFailure):
    reason = Reason.UNIMPLEMENTED


class ModelMissingError(InferenceFailure):
    """A model directory without a model in it."""


class ModelLoadError(InferenceFailure):
    """A model that is there and cannot be loaded; the message names the file and the fix."""
