"""What travels between steps: a body with how it is framed, and what nodes do to bodies. Pure.

A body is handed on as it came. It is looked into only where a condition, a path or a merge asks for it, and what is
merged is put together from the bytes that came, so that no number changes on the way.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias

import msgspec
import orjson

from inferplane.kernel.json import Json
from inferplane.resources import gjson

JSON: Final = b"application/json"
BINARY: Final = b"application/octet-stream"


class _Invalid(Enum):
    INVALID = "INVALID"


INVALID: Final = _Invalid.INVALID
Document: TypeAlias = Json | _Invalid


class Message:
    """`json_length`: of the JSON that a body with V2's binary tensors begins with; None for a body without."""

    __slots__ = ("_document", "body", "content_type", "json_length")

    def __init__(self, body: bytes, json_length: int | None = None, content_type: bytes = JSON) -> None:
        self.body = body
        self.json_length = json_length
        self.content_type = content_type
        self._document: Document | None = None

    def document(self) -> Document:
        """What its JSON says, INVALID when it is none; read once."""
        if self._document is None:
            self._document = self._read()
        return self._document

    def _read(self) -> Document:
        text = self.body if self.json_length is None else self.body[: self.json_length]
        try:
            found: Json = orjson.loads(text)
        except orjson.JSONDecodeError:
            return INVALID
        return found

    def holds(self, condition: gjson.Path) -> bool:
        """Whether the condition leads somewhere; not in what is no JSON."""
        document = self.document()
        return document is not INVALID and gjson.exists(condition, document)


def part(message: Message, path: gjson.Path) -> Message | None:
    """What the path leads to, as a body; None when it leads nowhere."""
    document = message.document()
    found = gjson.MISSING if document is INVALID else gjson.find(path, document)
    return None if found is gjson.MISSING else Message(orjson.dumps(found))


_ANSWERS = {"predictions": b"instances", "outputs": b"inputs"}
"""V1's and V2's word for results → for what is to be computed on."""


def as_request(message: Message) -> Message:
    """An answer as a request: its predictions (V1) or outputs (V2), when there are any, under the name of instances or
    inputs and nothing else; any other body as it is."""
    if message.json_length is not None:
        return message
    fields = _fields(message.body)
    for word, asked in _ANSWERS.items():
        values = fields.get(word)
        if values is not None and _is_filled_list(values):
            return Message(b'{"%b":%b}' % (asked, bytes(values)))
    return message


def _is_filled_list(raw: msgspec.Raw) -> bool:
    text = bytes(raw).strip()
    return text[:1] == b"[" and text[1:].lstrip()[:1] != b"]"


def _fields(body: bytes) -> Mapping[str, msgspec.Raw]:
    """Of a JSON object; of anything else none."""
    try:
        return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def is_object(message: Message) -> bool:
    """Whether it is a JSON object, all of it."""
    return message.json_length is None and isinstance(message.document(), dict)


def merged(answers: Mapping[str, Message]) -> Message:
    """One object with each answer under its step's name, in the order of the steps."""
    fields = b",".join(b"%b:%b" % (orjson.dumps(name), one.body.strip()) for name, one in answers.items())
    return Message(b"{%b}" % fields)
