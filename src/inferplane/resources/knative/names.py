"""Names of children, as Knative makes them: a name too long is cut, and its hash keeps it unique."""

import hashlib

_LONGEST = 63
_HASH = 32
_HEAD = _LONGEST - _HASH


def child(parent: str, suffix: str) -> str:
    """`parent` and `suffix` in at most 63 characters (`knative.dev/pkg/kmeta.ChildName`)."""
    if len(parent) <= _LONGEST - len(suffix):
        return parent + suffix
    if _HEAD - len(suffix) <= 0:
        whole = parent[:_HEAD] + _digest(parent + suffix)
        return whole + suffix[: max(0, _LONGEST - len(whole))]
    return parent[: _HEAD - len(suffix)] + _digest(parent) + suffix


def revision(configuration: str, generation: int) -> str:
    """Of a template that gives none: the number is the Configuration's generation, not a count."""
    return child(configuration, f"-{generation:05d}")


def deployment(revision: str) -> str:
    return child(revision, "-deployment")


def private_service(revision: str) -> str:
    return child(revision, "-private")


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
