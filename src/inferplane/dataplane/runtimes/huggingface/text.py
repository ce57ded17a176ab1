"""Text of tokens as they come: whole characters only, and nothing of a stop string."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

Decode: TypeAlias = Callable[[Sequence[int]], str]
"""Tokens → text, special tokens left out."""

_INCOMPLETE = "\ufffd"
"""What decoders write for bytes that are no character, such as the first half of one."""


class Detokenizer:
    """Decodes the latest tokens together with those before them, since what a token is depends on them (a space at
    the beginning, a character of several tokens)."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._from = 0
        """Where decoding begins: at a token before which all is told."""
        self._whole = 0
        """The latest place that ended with a whole character."""
        self._told = 0
        """Characters of what is decoded from `_from` on."""

    def add(self, token: int) -> str:
        """What can be told now; the last character is held back while it is incomplete."""
        self._tokens.append(token)
        text = self._decode(self._tokens[self._from :])
        if text.endswith(_INCOMPLETE):
            return self._news(text[:-1])
        news = self._news(text)
        self._from, self._whole = self._whole, len(self._tokens)
        self._told = len(self._decode(self._tokens[self._from :]))
        return news

    def rest(self) -> str:
        """What is still held back, complete or not."""
        return self._news(self._decode(self._tokens[self._from :]))

    def _news(self, text: str) -> str:
        news, self._told = text[self._told :], max(self._told, len(text))
        return news


class StopStrings:
    """Ends a text before the first of `stops` in it, however the text was cut. Holds back what may become one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""

    def add(self, text: str) -> tuple[str, bool]:
        """(what can be told now, whether a stop string was met)."""
        if not self._stops:
            return text, False
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            told, self._held = self._held[: min(found)], ""
            return told, True
        keep = max(_overlap(self._held, stop) for stop in self._stops)
        told = self._held[: len(self._held) - keep]
        self._held = self._held[len(told) :]
        return told, False

    def rest(self) -> str:
        told, self._held = self._held, ""
        return told


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that is a beginning of `stop`, but not all of it."""
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[len(text) - size :]):
            return size
    return 0
