"""Is an answer what was recorded? Placeholders in recorded strings (`${uid:1}`, `${rv>=3}`) are bound as they fit.

The format is described where the vectors come from: a numbered placeholder is bound by the first answer that has it and
stands for that value from then on; `${rv:N}` are ranks, so that a higher number is a later version.
"""

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from inferplane.kernel.json import Json, JsonObject

SHAPES = {
    "any": r"(?s:.*)",
    "age": r"(?:\d+[smhd]){1,2}|<unknown>|<invalid>",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "microtime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "uid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "rv": r"\d+",
    "rv>=": r"\d+",
    "gen": r"[a-z0-9]{5}",
    "hash": r"[a-z0-9]{5,16}",
    "continue": r"[\w.+/=-]+",
    "ip": r"[0-9a-fA-F:.]+",
    "port": r"\d+",
    "ns": r"[a-z0-9-]+",
}
PLACEHOLDER = re.compile(r"\$\{(?P<name>(?P<kind>rv>=|[a-z]+):?(?P<number>\d*))\}")
ABSENT = "(absent)"
# Lists whose order depends on a clock or on a map of the recorded server.
UNORDERED = ("/managedFields", "/causes")


@dataclass(frozen=True, slots=True)
class Difference:
    path: str
    wanted: Json
    got: Json

    def __str__(self) -> str:
        return f"{self.path}: expected {str(self.wanted)[:200]}, got {str(self.got)[:300]}"


class Bindings:
    """What placeholders stand for by now."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)

    def copy(self) -> "Bindings":
        return Bindings(self.values)

    def fill(self, value: Json) -> Json:
        """The value with bound placeholders replaced, for sending."""
        if isinstance(value, dict):
            return {str(self.fill(key)): self.fill(child) for key, child in value.items()}
        if isinstance(value, list):
            return [self.fill(child) for child in value]
        return self._filled(value) if isinstance(value, str) else value

    def _filled(self, text: str) -> str:
        padded = re.sub(r"\$\{pad:(\d+)\}", lambda found: "x" * int(found[1]), text)
        return PLACEHOLDER.sub(lambda found: self.values.get(found["name"], found[0]), padded)

    def fits(self, wanted: str, got: str) -> bool:
        """Whether the text fits; binds what was free."""
        pattern, places, end = "", [], 0
        for found in PLACEHOLDER.finditer(wanted):
            bound = self.values.get(found["name"])
            pattern += re.escape(wanted[end : found.start()])
            pattern += f"({re.escape(bound) if bound is not None else SHAPES[found['kind']]})"
            places.append(found)
            end = found.end()
        match = re.fullmatch(pattern + re.escape(wanted[end:]), got)
        if match is None:
            return False
        return all(self._bind(place, value) for place, value in zip(places, match.groups(), strict=True))

    def _bind(self, place: re.Match[str], value: str) -> bool:
        kind, number = place["kind"], place["number"]
        if kind == "rv>=":
            return int(value) >= int(self.values.get(f"rv:{number}", 0))
        if not number:
            return True
        others = {
            name: bound for name, bound in self.values.items() if name != place["name"] and name.startswith(f"{kind}:")
        }
        self.values[place["name"]] = value
        if kind == "rv":
            rank, version = int(number), int(value)
            return all((int(n[3:]) < rank) == (int(bound) < version) and bound != value for n, bound in others.items())
        return kind != "uid" or value not in others.values()


@dataclass
class Comparison:
    """Collects the differences of one step. With `subset` a list may hold more than what is listed."""

    bindings: Bindings
    ignore: tuple[str, ...]
    subset: bool = False
    found: list[Difference] = field(default_factory=list)

    def compare(self, wanted: Json, got: Json, path: str = "") -> None:
        if self._ignored(path):
            return
        if isinstance(wanted, dict) and isinstance(got, dict):
            self._objects(wanted, got, path)
        elif isinstance(wanted, list) and isinstance(got, list):
            self._lists(wanted, got, path)
        elif isinstance(wanted, str) and "${" in wanted and isinstance(got, str | int):
            if not self.bindings.fits(wanted, str(got)):
                self.found.append(Difference(path, self.bindings.fill(wanted), got))
        elif wanted != got or isinstance(wanted, bool) != isinstance(got, bool):
            self.found.append(Difference(path, wanted, got))

    def _ignored(self, path: str) -> bool:
        # The answer's own parts (status, body, exit …) always count.
        return path.count("/") > 1 and any(fnmatch.fnmatchcase(path, pattern) for pattern in self.ignore)

    def _objects(self, wanted: JsonObject, got: JsonObject, path: str) -> None:
        known = {str(self.bindings.fill(key)): value for key, value in wanted.items()}
        # Metadata first: it binds the placeholders that others refer to.
        for key in sorted(known.keys() | got.keys(), key=lambda one: (one != "metadata", one)):
            here = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            if key in known and key in got:
                self.compare(known[key], got[key], here)
            elif not self._ignored(here):
                self.found.append(Difference(here, known.get(key, ABSENT), got.get(key, ABSENT)))

    def _lists(self, wanted: list[Json], got: list[Json], path: str) -> None:
        if path.endswith(UNORDERED):
            wanted, got = sorted(wanted, key=_rank), sorted(got, key=_rank)
        if self.subset:
            for number, item in enumerate(wanted):
                self._somewhere(item, got, f"{path}/{number}")
            return
        if len(wanted) != len(got):
            self.found.append(Difference(f"{path}/length", len(wanted), f"{len(got)}: {got}"))
        for number, (left, right) in enumerate(zip(wanted, got, strict=False)):
            self.compare(left, right, f"{path}/{number}")

    def _somewhere(self, item: Json, candidates: Iterable[Json], path: str) -> None:
        for candidate in candidates:
            trial = Comparison(self.bindings.copy(), self.ignore, subset=True)
            trial.compare(item, candidate, path)
            if not trial.found:
                self.bindings.values.update(trial.bindings.values)
                return
        self.found.append(Difference(path, item, "(no such item)"))


def _rank(item: Json) -> tuple[str, ...]:
    fields = ("manager", "operation", "subresource", "field", "reason", "message")
    return tuple(str(item.get(name, "")) for name in fields) if isinstance(item, dict) else (str(item),)
