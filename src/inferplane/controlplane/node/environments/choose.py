"""Which environment a container runs in (pure): the platform's own where that will do, else one of certain packages.

The version of the image's library is what its tag says (`runtimeVersion`); without that, what the model was saved with
(a model that was saved with scikit-learn 1.4 gets 1.4, whichever patch release); without that, any that is allowed.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from inferplane.kernel.errors import InferplaneError
from inferplane.resources.process_image import Choice, Companions

OURS = "inferplane"
# Part of the digest: environments of another layout are built anew.
_LAYOUT = "1"


class InvalidRequirements(InferplaneError):
    """The image's requirements are not what pip takes; the text names the one."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The platform's own environment: versions by canonical name, its Python (`3.11`), what `inferplane` itself needs
    and what each of its extras adds (lines as pip takes them)."""

    versions: Mapping[str, str]
    python: str
    needs: Sequence[str] = ()
    extras: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a container asks for. `ours`: our own code runs in it (an entry point of `inferplane`). With `program` on
    the PATH it asks for nothing.

    `version` is the library's by the image's tag, `recorded` the one that the model was saved with; "" for none.
    `listed` is what the model itself says that it needs; that goes before `requirements`.
    """

    requirements: tuple[str, ...] = ()
    library: str = ""
    companions: tuple[Companions, ...] = ()
    choices: tuple[Choice, ...] = ()
    program: str = ""
    version: str = ""
    recorded: str = ""
    listed: tuple[str, ...] = ()
    ours: bool = True


@dataclass(frozen=True, slots=True)
class Environment:
    """One that is to be built. `reason` is why the platform's own won't do, in words; it doesn't make another one.

    `library`: the package whose version was asked for; it is taken as a wheel or not at all (building scikit-learn
    takes compilers and a quarter of an hour).
    """

    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    python: str
    ours: bool
    reason: str = field(compare=False, default="")
    library: str = field(compare=False, default="")
    recorded: bool = field(compare=False, default=False)
    """Whether only the model's own record asks for it."""

    @property
    def digest(self) -> str:
        """The same for the same content, whoever asks for it."""
        lines = (_LAYOUT, self.python, str(self.ours), *self.requirements, "", *self.constraints)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]

    def __str__(self) -> str:
        return ", ".join(self.requirements)


def choose(wish: Wish, installed: Installed) -> Environment | None:
    """None: the platform's own environment will do. Raises InvalidRequirements."""
    own = _parsed(wish.listed)
    wanted = _parsed(_expanded(wish.requirements, installed.extras)) | own
    pin, why = _pin(wish, installed)
    if pin is not None:
        wanted[canonicalize_name(pin.name)] = pin
    lacking = [one for one in wanted.values() if not _satisfied(one, installed.versions)]
    if not lacking:
        return None
    for one in _parsed(_companions(wish, pin)).values():
        wanted.setdefault(canonicalize_name(one.name), one)
    return Environment(
        requirements=tuple(sorted(map(str, wanted.values()))),
        constraints=tuple(installed.needs) if wish.ours else (),
        python=installed.python,
        ours=wish.ours,
        reason=why or f"the platform's own environment does not have {', '.join(map(str, lacking))}",
        library=wish.library,
        recorded=bool(wish.recorded and not wish.version) or any(one in own.values() for one in lacking),
    )


def chosen(wish: Wish, variables: Mapping[str, str]) -> Wish:
    """With the requirements of the choices that the container's variables make."""
    more = [line for one in wish.choices if variables.get(one.variable) == one.value for line in one.requirements]
    return replace(wish, requirements=(*wish.requirements, *more)) if more else wish


def same_minor(one: str, other: str) -> bool:
    """Do the versions differ in the patch release at most? Texts that are no versions fit nothing."""
    try:
        return Version(one).release[:2] == Version(other).release[:2]
    except InvalidVersion:
        return False


def _pin(wish: Wish, installed: Installed) -> tuple[Requirement | None, str]:
    """The library's requirement that decides over the image's own, and why."""
    if not wish.library:
        return None, ""
    have = installed.versions.get(canonicalize_name(wish.library), "")
    if wish.version:
        exact = wish.version if wish.version.count(".") >= 2 else f"{wish.version}.*"
        why = f"the image's tag (runtimeVersion) asks for {wish.library} {wish.version}"
        return Requirement(f"{wish.library}=={exact}"), f"{why} and the platform has {have or 'none'}"
    if not wish.recorded or same_minor(wish.recorded, have):
        return None, ""
    try:
        release = Version(wish.recorded).release
    except InvalidVersion:
        return None, ""  # written by a build of somebody's own: the server says so when it loads it
    minor = ".".join(str(part) for part in (*release, 0)[:2])
    why = f"the model was saved with {wish.library} {wish.recorded} and the platform has {have or 'none'}"
    return Requirement(f"{wish.library}=={minor}.*"), why


def _companions(wish: Wish, pin: Requirement | None) -> list[str]:
    if pin is None:
        return []
    version = next(iter(pin.specifier)).version.removesuffix(".*")
    return [line for one in wish.companions if _among(version, one.versions) for line in one.requirements]


def _among(version: str, versions: str) -> bool:
    try:
        return SpecifierSet(versions).contains(version, prereleases=True)
    except InvalidSpecifier as error:
        raise InvalidRequirements(
            f"companions: versions {versions!r}: {error}", fix="write it as <1.3 or ==1.4.*"
        ) from error


def _expanded(requirements: Iterable[str], extras: Mapping[str, Sequence[str]]) -> list[str]:
    """`inferplane[sklearn]` → what that extra brings: our own code is there already."""
    lines: list[str] = []
    for line in requirements:
        one = _requirement(line)
        if canonicalize_name(one.name) != OURS:
            lines.append(line)
        else:
            lines += [needed for extra in sorted(one.extras) for needed in extras.get(extra, ())]
    return lines


def _parsed(lines: Iterable[str]) -> dict[str, Requirement]:
    """By canonical name, those that apply to this machine."""
    found = [_requirement(line) for line in lines]
    return {canonicalize_name(one.name): one for one in found if one.marker is None or one.marker.evaluate()}


def _requirement(line: str) -> Requirement:
    try:
        return Requirement(line)
    except InvalidRequirement as error:
        said = str(error).partition("\n")[0]
        raise InvalidRequirements(f"requirement {line!r}: {said}", fix="correct it in the ProcessImage") from error


def _satisfied(one: Requirement, versions: Mapping[str, str]) -> bool:
    """A requirement by URL is never known to be; one with extras counts as met by the package itself."""
    have = versions.get(canonicalize_name(one.name))
    return have is not None and one.url is None and one.specifier.contains(have, prereleases=True)
