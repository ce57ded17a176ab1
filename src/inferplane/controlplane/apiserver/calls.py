"""A request once it is understood, and the two kinds of answer."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from inferplane.controlplane.apiserver.errors import bad_request, invalid
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.negotiation import PLAIN, Wanted
from inferplane.kernel.json import JsonObject
from inferplane.resources.schemas import FieldError

Validation = Literal["Strict", "Warn", "Ignore"]
MAX_MANAGER = 128


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()


ADMIN = User("inferplane-admin", groups=("system:masters", "system:authenticated"))


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is sent as it comes. Its iterator is closed when the client leaves."""

    chunks: AsyncIterator[bytes]
    content_type: str = "application/json"
    status: int = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a kind. `query` holds the first value of each parameter."""

    method: str
    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    dry_run_values: tuple[str, ...] = ()
    content_type: str = ""
    user_agent: str = ""
    body: bytes = b""
    wanted: Wanted = PLAIN
    user: User = ADMIN
    warnings: list[str] = field(default_factory=list)

    def flag(self, name: str) -> bool:
        """A boolean parameter; like Go's, any of `1`, `t`, `true` is true, and so is one without a value."""
        value = self.query.get(name)
        return value is not None and value.lower() in ("", "1", "t", "true")

    def number(self, name: str) -> int | None:
        value = self.query.get(name, "")
        if not value:
            return None
        if not value.lstrip("-").isdigit():
            raise bad_request(f'{name}: strconv.ParseInt: parsing "{value}": invalid syntax')
        return int(value)

    @property
    def dry_run(self) -> bool:
        _only_all(self.dry_run_values)
        return bool(self.dry_run_values)

    @property
    def validation(self) -> Validation:
        value = self.query.get("fieldValidation") or "Warn"
        if value in ("Strict", "Warn", "Ignore"):
            return value  # type: ignore[return-value]  # just looked at
        supported = '"Ignore", "Warn", "Strict"'
        text = f'Unsupported value: "{value}": supported values: {supported}'
        raise invalid("meta.k8s.io", self._options, "", [FieldError("fieldValidation", "FieldValueNotSupported", text)])

    @property
    def manager(self) -> str:
        """Who owns the fields that are written: the parameter, or the first word of the user agent."""
        given = self.query.get("fieldManager", "")
        if len(given) > MAX_MANAGER:
            text = f"Too long: may not be more than {MAX_MANAGER} bytes"
            raise invalid("meta.k8s.io", self._options, "", [FieldError("fieldManager", "FieldValueTooLong", text)])
        return given or self.user_agent.split("/", 1)[0][:MAX_MANAGER] or "unknown"

    @property
    def _options(self) -> str:
        return {"POST": "CreateOptions", "PUT": "UpdateOptions"}.get(self.method, "PatchOptions")


def _only_all(values: tuple[str, ...]) -> None:
    for value in values:
        if value != "All":
            text = f'Unsupported value: "{value}": supported values: "All"'
            raise invalid("meta.k8s.io", "CreateOptions", "", [FieldError("dryRun", "FieldValueNotSupported", text)])


def dry_run_of(options: JsonObject) -> bool:
    """The same from the body of a DELETE."""
    given = options.get("dryRun")
    values = tuple(str(value) for value in given) if isinstance(given, list) else ()
    _only_all(values)
    return bool(values)
