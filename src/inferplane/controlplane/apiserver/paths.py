"""A request's path, taken apart. Pure.

`/api/v1/…` is the core group, `/apis/GROUP/VERSION/…` any other; behind it stands
`[watch/][namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE]]`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names. All parts but group and version may be empty."""

    group: str
    version: str
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    watch: bool = False


def parse(path: str) -> Target | None:
    """None when the path is not one of a resource or of a group version."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 2:
        return _resource("", parts[1], parts[2:])
    if parts[0] == "apis" and len(parts) >= 3:
        return _resource(parts[1], parts[2], parts[3:])
    return None


def _resource(group: str, version: str, rest: list[str]) -> Target | None:
    watch = rest[:1] == ["watch"]
    rest = rest[1:] if watch else rest
    namespace = ""
    # `/namespaces/x` is the Namespace x itself, and so are its subresources; anything longer is inside of it.
    own = ("status", "finalize")
    if rest[:1] == ["namespaces"] and len(rest) >= 3 and not group and rest[2] in own and len(rest) == 3:
        return Target(group, version, "namespaces", "", rest[1], rest[2], watch)
    if rest[:1] == ["namespaces"] and len(rest) >= 3:
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    plural, name, subresource = [*rest, "", "", ""][:3]
    return Target(group, version, plural, namespace, name, subresource, watch)
