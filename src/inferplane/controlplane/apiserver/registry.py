"""The kinds that are served at the moment: the built-in ones and those of the established CRDs.

Read by every request, changed only when a CRD is written. `generation` counts the changes, so that documents made from
the registry (discovery, OpenAPI) can be kept until it moves.
"""

from collections import defaultdict
from collections.abc import Iterable

from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.kernel.json import JsonObject

GroupVersion = tuple[str, str]


class Registry:
    def __init__(self, built_in: Iterable[Kind]) -> None:
        self.generation = 0
        self._built_in = tuple(built_in)
        self._defined: dict[str, tuple[Kind, ...]] = {}
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        self._groups: frozenset[str] = frozenset()
        self._rebuild()

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def of_type(self, api_version: str, kind: str) -> Kind | None:
        """The served kind of an object with these two fields."""
        return next(
            (k for k in self._kinds.values() if k.resource.kind == kind and k.resource.api_version == api_version), None
        )

    def kinds(self) -> list[Kind]:
        return list(self._kinds.values())

    def served_by(self, definition: str) -> tuple[Kind, ...]:
        """The kinds of one CRD, one for each served version."""
        return self._defined.get(definition, ())

    def groups(self) -> dict[str, list[str]]:
        """The versions of each group, the preferred one first; the core group is ""."""
        versions: dict[str, list[str]] = defaultdict(list)
        for group, version, _ in self._kinds:
            if version not in versions[group]:
                versions[group].append(version)
        return {group: sorted(found, key=version_priority) for group, found in sorted(versions.items())}

    def has_group(self, group: str) -> bool:
        return group in self._groups

    def in_version(self, group: str, version: str) -> list[Kind]:
        found = [k for k in self._kinds.values() if (k.resource.group, k.resource.version) == (group, version)]
        return sorted(found, key=lambda kind: kind.resource.plural)

    def taken_names(self, group: str, besides: str) -> dict[str, set[str]]:
        """Names in use in a group (by anyone but CRD `besides`): `resource` (plurals and short names) and `kind`."""
        taken: dict[str, set[str]] = {"resource": set(), "kind": set()}
        own = {kind.resource.plural for kind in self.served_by(besides)}
        for kind in self._kinds.values():
            if kind.resource.group != group or kind.resource.plural in own:
                continue
            taken["resource"] |= {kind.resource.plural, kind.singular, *kind.short_names}
            taken["kind"] |= {kind.resource.kind, kind.list_kind}
        return taken

    def define(self, definition: str, kinds: Iterable[Kind]) -> None:
        """Serves exactly these kinds for a CRD; none to withdraw it."""
        found = tuple(kinds)
        if found:
            self._defined[definition] = found
        else:
            self._defined.pop(definition, None)
        self._rebuild()

    def _rebuild(self) -> None:
        self._kinds = {}
        for kind in (*self._built_in, *(kind for defined in self._defined.values() for kind in defined)):
            self._kinds[kind.resource.group, kind.resource.version, kind.resource.plural] = kind
        self._groups = frozenset(group for group, _, _ in self._kinds)
        self.generation += 1


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Sorts v2 before v1 before v1beta2 before v1beta1 before v1alpha1 before any other name.

    The rule is that of CRD versions (kubernetes.io, "Version priority").
    """
    number, stage, rest = _parts(version)
    rank = {"": 0, "beta": 1, "alpha": 2}.get(stage, 3)
    return (rank, -number, -rest, version) if number else (3, 0, 0, version)


def _parts(version: str) -> tuple[int, str, int]:
    digits = version[1:].split("alpha")[0].split("beta")[0] if version.startswith("v") else ""
    stage = "alpha" if "alpha" in version else "beta" if "beta" in version else ""
    rest = version.rpartition(stage)[2] if stage else "0"
    if digits.isdigit() and (rest.isdigit() or not rest):
        return int(digits), stage, int(rest or 0)
    return 0, "other", 0


def identity(kind: Kind) -> JsonObject:
    """The two fields that name an object's type."""
    return {"kind": kind.resource.kind, "apiVersion": kind.resource.api_version}
