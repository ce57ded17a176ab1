"""The syntax: text → components (github.com/tidwall/gjson, SYNTAX.md).

gjson itself takes any text for a path and finds nothing where it makes no sense; here such a text is an error that says
where it stops making sense. JSON lines (`..`), literals (`!true`) and the modifiers that rebuild documents are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from inferplane.kernel.errors import InferplaneError

IDENTITIES = ("this", "ugly", "pretty", "valid")
MODIFIERS = (*IDENTITIES, "reverse", "keys", "values", "flatten", "fromstr", "tostr")
_REFUSED = ("join", "group", "dig")
OPERATORS = ("!=", "!%", "<=", ">=", "==", "<", ">", "=", "%")
_OPENING, _CLOSING = "([{", ")]}"


class PathError(InferplaneError):
    """The text is no path."""


@dataclass(frozen=True, slots=True)
class Key:
    """A field of an object, or by its digits an element of an array. `wild`: `*` and `?` in `name` mean any letters.

    `name` has the escapes (`\\.`) of a wild one still in it.
    """

    name: str
    wild: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """`#`: how many elements there are."""


@dataclass(frozen=True, slots=True)
class Each:
    """`#.rest`: what `rest` leads to in every element that has it."""

    rest: "Path"


@dataclass(frozen=True, slots=True)
class Query:
    """`#(path OPERATOR value)`: the first element that fits, or with a `#` behind it all of them.

    `path` is None for the element itself; without `operator` it need only lead somewhere.
    """

    path: "Path | None"
    operator: str = ""
    value: str = ""
    every: bool = False
    rest: "Path | None" = None


@dataclass(frozen=True, slots=True)
class Modifier:
    """`@name:argument`."""

    name: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Several:
    """`[a,b]` or `{"name":a,b}`: what the paths lead to, as an array or (with `names`) as an object."""

    paths: tuple["Path", ...]
    names: tuple[str, ...] | None = None


Component: TypeAlias = Key | Count | Each | Query | Modifier | Several


@dataclass(frozen=True, slots=True)
class Path:
    """Components joined by dots; `then` goes on with what they led to (behind a pipe, or around a modifier)."""

    components: tuple[Component, ...]
    then: "Path | None" = None
    text: str = field(default="", compare=False)

    @property
    def always_exists(self) -> bool:
        """It leads somewhere in whatever document: an object or array made of other paths, with nothing behind it."""
        return isinstance(self.components[0], Several) and self.then is None


def parse(text: str) -> Path:
    """Raises PathError."""
    return _Reader(text).path()


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0

    def path(self) -> Path:
        if not self.text:
            raise PathError("an empty path")
        if self.text.startswith(".."):
            raise PathError(f"{self.text!r}: JSON lines (..) are not known here")
        return self._path()

    def _path(self) -> Path:
        components: list[Component] = []
        begun = self.at
        while True:
            alone = self._stands_alone()
            if alone and components:
                # A modifier works on what the components before it led to.
                return Path(tuple(components), self._path(), self.text[begun:])
            components.append(self._component(first=not components))
            if self.at == len(self.text):
                return Path(tuple(components), None, self.text[begun:])
            piped = self.text[self.at] == "|"
            self.at += 1
            if self.at == len(self.text):
                raise PathError(f"{self.text!r}: ends with {self.text[-1]!r}, behind which a name is expected")
            if piped or alone:
                return Path(tuple(components), self._path(), self.text[begun:])

    def _stands_alone(self) -> bool:
        letter = self.text[self.at]
        return letter in "[{" or (letter == "@" and self._modifier_name() in (*MODIFIERS, *_REFUSED))

    def _modifier_name(self) -> str:
        end = next((i for i in range(self.at, len(self.text)) if self.text[i] in ".|:"), len(self.text))
        return self.text[self.at + 1 : end]

    def _component(self, *, first: bool) -> Component:
        letter = self.text[self.at]
        if letter == "!" and first:
            raise PathError(f"{self.text!r}: literals (!) are not known here")
        if letter in "[{":
            return self._several()
        if self._stands_alone():
            return self._modifier()
        return self._array() if letter == "#" else self._key()

    # Names.

    def _key(self) -> Key:
        letters: list[str] = []
        wild = False
        while self.at < len(self.text) and (letter := self.text[self.at]) not in ".|":
            wild = wild or letter in "*?"
            if letter == "\\" and self.at + 1 < len(self.text):
                letters.append(letter)
                self.at += 1
                letter = self.text[self.at]
            letters.append(letter)
            self.at += 1
        name = "".join(letters)
        if not name:
            raise PathError(f"{self._so_far()}: expected a name")
        return Key(name, wild=True) if wild else Key(_unescaped(name))

    def _modifier(self) -> Modifier:
        name = self._modifier_name()
        if name in _REFUSED:
            raise PathError(f"{self.text!r}: the modifier @{name} is not known here; have: @{', @'.join(MODIFIERS)}")
        self.at += 1 + len(name)
        argument = self._argument() if self.text[self.at : self.at + 1] == ":" else ""
        return Modifier(name, argument)

    def _argument(self) -> str:
        begun = self.at = self.at + 1
        if self.text[begun : begun + 1] in _OPENING and begun < len(self.text):
            self.at = _behind(self.text, begun)
        while self.at < len(self.text) and self.text[self.at] not in ".|":
            self.at += 1
        return self.text[begun : self.at]

    # Arrays.

    def _array(self) -> Component:
        self.at += 1
        following = self.text[self.at : self.at + 1]
        if following and following in "([":
            return self._query()
        if following == ".":
            self.at += 1
            return Each(self._rest())
        if following not in ("", "|"):
            raise PathError(f"{self._so_far()}: expected '.', '|' or '(' behind '#', got {following!r}")
        return Count()

    def _rest(self) -> Path:
        """What is behind a `#`, up to the next pipe: it is for the elements, not for the array."""
        begun = self.at
        self.at = _pipe(self.text, begun)
        return parse(self.text[begun : self.at])

    def _query(self) -> Query:
        begun = self.at
        self.at = _behind(self.text, begun)
        path, operator, value = _condition(self.text[begun + 1 : self.at - 1])
        every = self.text[self.at : self.at + 1] == "#"
        self.at += every
        following = self.text[self.at : self.at + 1]
        if following not in ("", ".", "|"):
            raise PathError(f"{self._so_far()}: expected '.' or '|', got {following!r}")
        rest = None
        if following == "." and self.at + 1 < len(self.text):
            self.at += 1
            rest = self._rest()
        return Query(path, operator, value, every, rest)

    def _so_far(self) -> str:
        return f"{self.text!r} at {self.at + 1}"

    # Several paths.

    def _several(self) -> Several:
        named = self.text[self.at] == "{"
        begun = self.at
        self.at = _behind(self.text, begun)
        if self.at < len(self.text) and self.text[self.at] not in ".|":
            raise PathError(f"{self._so_far()}: expected '.' or '|', got {self.text[self.at]!r}")
        entries = [_entry(one) for one in _split(self.text[begun + 1 : self.at - 1])]
        paths = tuple(parse(path) for _, path in entries)
        if not named:
            return Several(paths)
        return Several(paths, tuple(name or _last_name(path) for (name, _), path in zip(entries, paths, strict=True)))


# --- text -------------------------------------------------------------------------------------------------------------


def _tokens(text: str, at: int) -> Iterator[tuple[int, str]]:
    """Letters with their places; escaped ones and those in quotes are left out. Raises PathError for an open quote."""
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == '"':
            at = _behind_quote(text, at)
        else:
            yield at, text[at]
            at += 1


def _behind_quote(text: str, at: int) -> int:
    end = at + 1
    while end < len(text) and text[end] != '"':
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise PathError(f"{text!r} at {at + 1}: the quote is not closed")
    return end + 1


def _behind(text: str, opened: int) -> int:
    """The place behind the bracket that closes the one at `opened`."""
    depth = 0
    for at, letter in _tokens(text, opened):
        depth += (letter in _OPENING) - (letter in _CLOSING)
        if depth == 0:
            return at + 1
    raise PathError(f"{text!r} at {opened + 1}: {text[opened]!r} is not closed")


def _pipe(text: str, at: int) -> int:
    depth = 0
    for place, letter in _tokens(text, at):
        depth += (letter in _OPENING) - (letter in _CLOSING)
        if letter == "|" and depth == 0:
            return place
    return len(text)


def _condition(text: str) -> tuple[Path | None, str, str]:
    """Path, operator and value of what is between the brackets of a query."""
    depth, found = 0, -1
    for at, letter in _tokens(text, 0):
        depth += (letter in _OPENING) - (letter in _CLOSING)
        if depth == 0 and letter in "!=<>%":
            found = at
            break
    if found < 0:
        return _inner(text), "", ""
    operator = next((one for one in OPERATORS if text.startswith(one, found)), "")
    if not operator:
        raise PathError(f"{text!r} at {found + 1}: expected one of {' '.join(OPERATORS)}, got {text[found]!r}")
    value = text[found + len(operator) :].strip()
    return _inner(text[:found]), "=" if operator == "==" else operator, _bare(value)


def _inner(text: str) -> Path | None:
    return parse(text.strip()) if text.strip() else None


def _bare(value: str) -> str:
    """A quoted value without its quotes."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        try:
            return msgspec.json.decode(value.encode(), type=str)
        except msgspec.DecodeError:
            return value[1:-1]
    return value


def _split(text: str) -> Iterator[str]:
    """At commas that are in no bracket."""
    depth, begun = 0, 0
    for at, letter in _tokens(text, 0):
        depth += (letter in _OPENING) - (letter in _CLOSING)
        if letter == "," and depth == 0:
            yield text[begun:at].strip()
            begun = at + 1
    if text[begun:].strip():
        yield text[begun:].strip()


def _entry(text: str) -> tuple[str, str]:
    """Name and path of `"name":path`; without a name "" and the path."""
    if not text.startswith('"'):
        return "", text
    end = _behind_quote(text, 0)
    if text[end : end + 1] != ":":
        raise PathError(f"{text!r} at {end + 1}: expected ':' behind the name")
    return _bare(text[:end]), text[end + 1 :]


def _last_name(path: Path) -> str:
    while path.then is not None:
        path = path.then
    last = path.components[-1]
    return last.name if isinstance(last, Key) else "_"


def _unescaped(name: str) -> str:
    letters = iter(name)
    return "".join(next(letters, "") if letter == "\\" else letter for letter in letters)
