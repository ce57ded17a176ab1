"""Where chance comes in: uids and the suffixes of generated names."""

import random
import uuid
from typing import Protocol

# No vowels and no characters that look alike (k8s.io/apimachinery util/rand).
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX = 5
LONGEST = 63


class Names(Protocol):
    def uid(self) -> str: ...

    def suffix(self) -> str: ...


class RandomNames:
    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def uid(self) -> str:
        return str(uuid.uuid4())

    def suffix(self) -> str:
        return "".join(self._random.choices(ALPHABET, k=SUFFIX))


def generated(prefix: str, suffix: str) -> str:
    """`prefix` cut so that the name has at most 63 characters, then the suffix."""
    return prefix[: LONGEST - SUFFIX] + suffix
