"""What Go's JSON decoder says about a text that is no JSON: those words are part of the API's messages."""

import json

_LITERALS = {"n": "null", "t": "true", "f": "false"}
# What Python's decoder expected, and how Go puts the same.
_PLACES = (
    ("Extra data", "after top-level value"),
    ("Expecting property name", "looking for beginning of object key string"),
    ("Expecting ':'", "after object key"),
    ("Expecting ','", "after array element"),
    ("Invalid control character", "in string literal"),
    ("Invalid \\escape", "in string escape code"),
    ("Expecting value", "looking for beginning of value"),
)
_END = "unexpected end of JSON input"


def json_fault(text: str) -> str:
    """What is wrong with the text; "" when it is JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return _fault(text, error)
    return ""


def _fault(text: str, error: json.JSONDecodeError) -> str:
    at = error.pos
    if at >= len(text) or error.msg.startswith("Unterminated string"):
        return _END
    literal = _LITERALS.get(text[at])
    if error.msg.startswith("Expecting value") and literal:
        return _literal_fault(text, at, literal)
    place = next((words for start, words in _PLACES if error.msg.startswith(start)), "looking for beginning of value")
    return f"invalid character {_quoted(text[at])} {place}"


def _literal_fault(text: str, at: int, literal: str) -> str:
    for i, wanted in enumerate(literal):
        if at + i >= len(text):
            return _END
        if text[at + i] != wanted:
            return f"invalid character {_quoted(text[at + i])} in literal {literal} (expecting {_quoted(wanted)})"
    return f"invalid character {_quoted(text[at])} looking for beginning of value"


def _quoted(character: str) -> str:
    return r"'\''" if character == "'" else f"'{character}'"
