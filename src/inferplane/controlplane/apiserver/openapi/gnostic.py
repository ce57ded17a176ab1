"""The v2 document in the protobuf form that kubectl downloads (`openapi.v2.Document` of gnostic's OpenAPIv2.proto).

kubectl before 1.27 knows no other; later ones ask for it when a kind isn't in OpenAPI v3. Each message is a table from
the document's words to field numbers and forms; what a table doesn't name is a vendor extension or left out.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import orjson

from inferplane.kernel.json import Json, JsonObject

CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
# What clients ask for; with `@` it is no proper media type, so the answer is named differently.
ACCEPTED = ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", CONTENT_TYPE)

Encode: TypeAlias = Callable[[Json], bytes]
Field: TypeAlias = tuple[int, Encode]
_LENGTH_DELIMITED = 2


def encoded(document: JsonObject) -> bytes:
    """`document` is what `v2` makes."""
    return _message(_DOCUMENT, document)


def _varint(number: int) -> bytes:
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)


def _delimited(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _boolean(number: int, value: bool) -> bytes:
    return _varint(number << 3) + (b"\x01" if value else b"\x00")


def _text(value: Json) -> bytes:
    return str(value).encode()


def _any(value: Json) -> bytes:
    """`Any`: the value as YAML, which JSON is."""
    return _delimited(2, orjson.dumps(value))


def _named(name: str, value: bytes) -> bytes:
    """`NamedX`: one entry of a map."""
    return _delimited(1, name.encode()) + _delimited(2, value)


def _message(fields: Mapping[str, Field], value: Json, extension: int = 0) -> bytes:
    """The fields that the table names; words that begin with `x-` as vendor extensions."""
    result = bytearray()
    for key, child in value.items() if isinstance(value, dict) else ():
        if key in fields:
            number, encode = fields[key]
            result += _field(number, encode, child)
        elif extension and key.startswith("x-"):
            result += _delimited(extension, _named(key, _any(child)))
    return bytes(result)


def _field(number: int, encode: Encode, value: Json) -> bytes:
    if isinstance(value, bool) and encode is _text:
        return _boolean(number, value)
    if isinstance(value, list) and encode is not _any:
        return b"".join(_delimited(number, encode(one)) for one in value)
    return _delimited(number, encode(value))


def _map(number: int, encode: Encode) -> Encode:
    """A message that is nothing but a map: entries in field `number`."""

    def write(value: Json) -> bytes:
        entries = value.items() if isinstance(value, dict) else ()
        return b"".join(_delimited(number, _named(key, encode(child))) for key, child in entries)

    return write


def _one(*numbers: int) -> Callable[[Encode], Encode]:
    """A message wrapped in others, of which only these fields are set, from the outside in."""

    def wrap(encode: Encode) -> Encode:
        def write(value: Json) -> bytes:
            content = encode(value)
            for number in reversed(numbers):
                content = _delimited(number, content)
            return content

        return write

    return wrap


def _schema(value: Json) -> bytes:
    return _message(_SCHEMA, value, extension=31)


def _operation(value: Json) -> bytes:
    return _message(_OPERATION, value, extension=13)


def _parameter(value: Json) -> bytes:
    """`ParametersItem`: a parameter of the body, of the query or of the path."""
    place = value.get("in") if isinstance(value, dict) else ""
    if place == "body":
        return _one(1, 1)(lambda one: _message(_BODY_PARAMETER, one))(value)
    fields, number = (_PATH_PARAMETER, 4) if place == "path" else (_QUERY_PARAMETER, 3)
    return _one(1, 2, number)(lambda one: _message(fields, one))(value)


def _additional(value: Json) -> bytes:
    """`AdditionalPropertiesItem`: a schema, or whether there may be any."""
    return _boolean(2, value) if isinstance(value, bool) else _delimited(1, _schema(value))


def _response(value: Json) -> bytes:
    return _message(_RESPONSE, value)


def _path_item(value: Json) -> bytes:
    return _message(_PATH_ITEM, value, extension=10)


_SCHEMA: dict[str, Field] = {
    "$ref": (1, _text),
    "format": (2, _text),
    "description": (4, _text),
    "default": (5, _any),
    "required": (19, _text),
    "additionalProperties": (21, _additional),
    "type": (22, _one(1)(_text)),
    "items": (23, _one(1)(_schema)),
    "allOf": (24, _schema),
    "properties": (25, _map(1, _schema)),
}
_BODY_PARAMETER: dict[str, Field] = {
    "name": (2, _text),
    "in": (3, _text),
    "required": (4, _text),
    "schema": (5, _schema),
}
_PATH_PARAMETER: dict[str, Field] = {
    "required": (1, _text),
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (5, _text),
    "uniqueItems": (19, _text),
}
_QUERY_PARAMETER: dict[str, Field] = {
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (6, _text),
    "uniqueItems": (20, _text),
}
_RESPONSE: dict[str, Field] = {"description": (1, _text), "schema": (2, _one(1)(_schema))}
_OPERATION: dict[str, Field] = {
    "tags": (1, _text),
    "description": (3, _text),
    "operationId": (5, _text),
    "produces": (6, _text),
    "consumes": (7, _text),
    "parameters": (8, _parameter),
    "responses": (9, _map(1, _one(1)(_response))),
}
_PATH_ITEM: dict[str, Field] = {
    "get": (2, _operation),
    "put": (3, _operation),
    "post": (4, _operation),
    "delete": (5, _operation),
    "patch": (8, _operation),
    "parameters": (9, _parameter),
}
_INFO: dict[str, Field] = {"title": (1, _text), "version": (2, _text)}
_DOCUMENT: dict[str, Field] = {
    "swagger": (1, _text),
    "info": (2, lambda value: _message(_INFO, value)),
    "paths": (8, _map(2, _path_item)),
    "definitions": (9, _map(1, _schema)),
}
