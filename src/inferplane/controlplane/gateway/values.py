"""What the gateway shall do, as values: the plan makes them, `envoy` turns each into one xDS resource.

Everything is frozen and compares by content, so "did it change?" is `==` and an unchanged value is never built twice.
"""

from dataclasses import dataclass
from enum import StrEnum

from inferplane.controlplane.gateway.access import OPEN, Access


class PathKind(StrEnum):
    EXACT = "Exact"
    PREFIX = "PathPrefix"
    REGEX = "RegularExpression"


@dataclass(frozen=True, slots=True)
class ValueMatch:
    """A header or query parameter: equal to `value`, or matched as a whole by it when `regex`."""

    name: str
    value: str
    regex: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """All parts must hold. A prefix matches whole path elements: /a matches /a/b and not /ab."""

    path: str = "/"
    kind: PathKind = PathKind.PREFIX
    method: str = ""
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()


@dataclass(frozen=True, slots=True)
class HeaderEdits:
    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PathRewrite:
    """Replace the whole path, or (`prefix`) only what the match's prefix covered. The query string stays."""

    replacement: str
    prefix: bool


@dataclass(frozen=True, slots=True)
class Target:
    """Where a share of the requests goes. An empty `cluster` stands for a backend that does not exist (answers 500)."""

    cluster: str
    weight: int = 1
    request: HeaderEdits = HeaderEdits()
    response: HeaderEdits = HeaderEdits()


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where `numerator` of `denominator` requests go too; their answers are dropped.

    With `host` they come in again at this gateway, for that host, and go where its routes lead.
    """

    cluster: str
    numerator: int = 100
    denominator: int = 100
    host: str = ""


@dataclass(frozen=True, slots=True)
class Forward:
    """`timeout`, `try_timeout` (until the answer starts) and `idle_timeout` in seconds; 0 is none."""

    targets: tuple[Target, ...]
    timeout: float = 0.0
    try_timeout: float = 0.0
    host: str = ""
    path: PathRewrite | None = None
    idle_timeout: float = 0.0
    mirrors: tuple[Mirror, ...] = ()


@dataclass(frozen=True, slots=True)
class Redirect:
    status: int = 302
    scheme: str = ""
    host: str = ""
    port: int = 0
    path: PathRewrite | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A fixed answer: `{"error": message}`."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Route:
    match: Match
    action: Forward | Redirect | Answer
    request: HeaderEdits = HeaderEdits()
    response: HeaderEdits = HeaderEdits()


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """The routes of one host name on one port, most specific first. `domain` is `*`, `*.example.com` or a name."""

    name: str
    domain: str
    routes: tuple[Route, ...]

    @property
    def clusters(self) -> frozenset[str]:
        actions = [route.action for route in self.routes if isinstance(route.action, Forward)]
        targets = {target.cluster for one in actions for target in one.targets}
        mirrors = {mirror.cluster for one in actions for mirror in one.mirrors if not mirror.host}
        return frozenset((targets | mirrors) - {""})


@dataclass(frozen=True, slots=True)
class Listener:
    """One port. Its route table has the same name, and its virtual hosts are called NAME/HOST.

    With `only`, that is its one virtual host, and part of it: there is no table to look up. `routes` names another
    listener whose table it shares.
    """

    name: str
    port: int
    addresses: tuple[str, ...]
    only: VirtualHost | None = None
    routes: str = ""
    access: Access = OPEN


@dataclass(frozen=True, slots=True)
class Cluster:
    """One port of one Service. All options are part of `name`, so a cluster is added or removed, never changed."""

    name: str
    namespace: str
    service: str
    port: int
    http2: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a cluster's replicas listen."""

    cluster: str
    endpoints: frozenset[Endpoint] = frozenset()


AGAIN = "again"
"""A listener that only Envoy itself can reach, and the cluster that leads there: requests are routed once more."""


def cluster_name(namespace: str, service: str, port: int, http2: bool) -> str:
    return f"{namespace}/{service}:{port}" + ("/h2c" if http2 else "")
