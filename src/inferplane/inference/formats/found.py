"""What was found: the values that recognizers give, and how they are said."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable
from typing import IO

HEAD = 64 * 1024
"""Bytes of a file that are read to tell what it is."""


@dataclass(frozen=True, slots=True)
class Found:
    """`format` is KServe's `modelFormat.name`, "" for what is no model. `library`, `version`, `kind` and `what` say it
    in words: `sklearn 1.4.2 pickle (RandomForestClassifier)`; "" where the file does not tell. `file` is relative to
    the directory that was looked through. `advice`: what to do with what no runtime serves as it is.
    """

    format: str
    library: str
    kind: str
    version: str = ""
    what: str = ""
    file: str = ""
    advice: str = ""

    @property
    def phrase(self) -> str:
        words = " ".join(word for word in (self.library, self.version, self.kind) if word)
        return f"{words} ({self.what})" if self.what else words

    def __str__(self) -> str:
        return f"{self.phrase}, from {self.file}" if self.file else self.phrase

    def below(self, directory: str) -> "Found":
        """The same, seen from the directory above."""
        return replace(self, file=f"{directory}/{self.file}")


@dataclass(frozen=True, slots=True)
class Sample:
    """`head` are the first bytes of a file, up to `HEAD`. `open` gives all of it."""

    name: str
    head: bytes
    open: Callable[[], IO[bytes]]


def sample(file: Traversable) -> Sample | None:
    """None for what cannot be read: loading it tells why."""
    try:
        with file.open("rb") as stream:
            return Sample(file.name, stream.read(HEAD), lambda: file.open("rb"))
    except OSError:
        return None
