"""Values that must not be logged: named fields of a JSON payload are replaced before it leaves. Pure.

A name is a key of the payload; with dots it is a path, which goes through lists by itself: `instances.name` is the
`name` of each instance. In a list of V2 tensors a step is also a tensor's name: `inputs.age` is the data of the tensor
`age`. A payload that cannot be looked into is not logged at all.
"""

from collections.abc import Sequence

import orjson

from inferplane.kernel.json import Json

MARK = "[redacted]"


class Redaction:
    def __init__(self, fields: Sequence[str]) -> None:
        self._paths = [tuple(field.split(".")) for field in fields]

    def of(self, payload: bytes) -> bytes | None:
        """The payload without the fields' values; None for one that is no JSON."""
        try:
            value: Json = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return None
        for path in self._paths:
            _clear(value, path)
        return orjson.dumps(value)


def _clear(value: Json, path: tuple[str, ...]) -> None:
    step, rest = path[0], path[1:]
    if isinstance(value, list):
        for item in value:
            if not rest and isinstance(item, dict) and item.get("name") == step and "data" in item:
                item["data"] = MARK
            else:
                _clear(item, path)
    elif isinstance(value, dict) and step in value:
        if rest:
            _clear(value[step], rest)
        else:
            value[step] = MARK
