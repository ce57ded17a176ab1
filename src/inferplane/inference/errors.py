"""Why an inference call fails. Each error has one `Kind`; a transport has one table from kinds to codes.

The class names are KServe's, so that model authors' `raise` and `except` lines keep working.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar, Protocol

from inferplane.kernel.errors import InferplaneError


class Kind(StrEnum):
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
    UNSUPPORTED_MEDIA = "UnsupportedMedia"
    """The body is of a content type that is not understood."""
    FAILED = "Failed"
    """The model, or the server, is at fault."""


class Named(Protocol):
    """A model, seen from here."""

    name: str


class InferenceFailure(InferplaneError):
    """Root of everything below. `reason` is what went wrong in words, as KServe's errors have it."""

    kind: ClassVar[Kind] = Kind.FAILED

    def __init__(self, reason: str, *, fix: str = "") -> None:
        super().__init__(reason, fix=fix)
        self.reason = reason


class InvalidInput(InferenceFailure, ValueError):
    kind = Kind.INVALID_INPUT


class Malformed(InferenceFailure):
    """`where` is the JSON path of the offending field, empty for the whole body."""

    kind = Kind.MALFORMED

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class InferenceError(InferenceFailure, RuntimeError):
    """A model that raised while it computed. `status` and `debug_details` are for its author's own use."""

    def __init__(self, reason: str, status: str | None = None, debug_details: object = None, *, fix: str = "") -> None:
        super().__init__(reason if status is None else f"[{status}] {reason}", fix=fix)
        self.reason = reason
        self.status = status
        self.debug_details = debug_details


class UnsupportedMedia(InferenceFailure):
    kind = Kind.UNSUPPORTED_MEDIA


class ModelNotFound(InferenceFailure, KeyError):
    """Also a KeyError: KServe's repository raises one for a model that it cannot unload."""

    kind = Kind.NOT_FOUND

    def __init__(self, model_name: str | None = None) -> None:
        super().__init__(f"Model with name {model_name} does not exist.")


class _NotReady(InferenceFailure, RuntimeError):
    kind = Kind.NOT_READY

    def __init__(self, what: str, detail: str | None) -> None:
        super().__init__(f"{what} {detail}" if detail else what)

    @property
    def error_msg(self) -> str:
        """The text, as KServe's errors have it."""
        return str(self)


class ModelNotReady(_NotReady):
    def __init__(self, model_name: str, detail: str | None = None) -> None:
        super().__init__(f"Model with name {model_name} is not ready.", detail)
        self.model_name = model_name


class ServerNotReady(_NotReady):
    def __init__(self, detail: str | None = None) -> None:
        super().__init__("Server is not ready.", detail)


class ServerNotLive(_NotReady):
    def __init__(self, detail: str | None = None) -> None:
        super().__init__("Server is not live.", detail)


class NoModelReady(_NotReady):
    """A server that is to start with models of which none is ready."""

    def __init__(self, models: Sequence[Named], detail: str | None = None) -> None:
        names = [model.name for model in models]
        which = f"Model with name {names[0]} is" if len(names) == 1 else f"Models with names {','.join(names)} are"
        super().__init__(f"{which} not ready.", detail)
        self.models = models
        self.detail = detail


class DeadlineExceeded(InferenceFailure):
    kind = Kind.DEADLINE

    def __init__(self, model_name: str) -> None:
        super().__init__(f"Model with name {model_name} did not answer in time.")


class Overloaded(InferenceFailure):
    """`retry_after` in whole seconds: when there should be room."""

    kind = Kind.OVERLOADED

    def __init__(self, model_name: str, waiting: int, retry_after: int) -> None:
        super().__init__(f"Model with name {model_name} is overloaded: {waiting} requests wait already.")
        self.retry_after = retry_after


def refuse_shared_memory(parameters: Mapping[str, object], where: str) -> None:
    """InvalidInput for parameters of Triton's shared-memory extensions.

    A client whose request for them was ignored would take what its memory holds for an answer.
    """
    if "shared_memory_region" in parameters:
        raise InvalidInput(f"{where}.shared_memory_region: there is no shared memory here", fix="send and take data")


class Unimplemented(InferenceFailure):
    """Something of the protocol that this server does not do."""

    kind = Kind.UNIMPLEMENTED


class UnsupportedProtocol(Unimplemented):
    def __init__(self, protocol_version: object = None) -> None:
        super().__init__(f"Unsupported protocol {protocol_version}.")


class WorkersShouldBeLessThanMaxWorkersError(InferenceFailure):
    def __init__(self, max_workers: int | None = None) -> None:
        super().__init__(f"Workers cannot be greater than {max_workers}")


class UpstreamFailed(InferenceFailure):
    """The predictor behind a transformer refused or failed. `status` is the one to answer with, as HTTP knows it.

    Where the predictor gave an answer, that is handed on: `body` with its `content_type` and `retry_after` over REST,
    `code` over gRPC.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        body: bytes = b"",
        content_type: str = "",
        retry_after: str = "",
        code: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
        self.content_type = content_type
        self.retry_after = retry_after
        self.code = code


class ModelMissingError(InferenceFailure):
    """A model directory without a model in it. `path` is the directory, or what there is to say of it."""

    def __init__(self, path: object, *, fix: str = "") -> None:
        super().__init__(str(path), fix=fix)
        self.path = path


class ModelLoadError(InferenceFailure):
    """A model that is there and cannot be loaded; the message names the file and the fix."""
