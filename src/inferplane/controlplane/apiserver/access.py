"""Who talks to the API server, and what they may do.

The holder of the administrator's token may do everything. A ServiceAccount, shown by a token that the `token`
subresource made, may do what one without any role may on a cluster: read discovery, and ask who it is and what it may.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime

from inferplane.controlplane.apiserver import errors, objects, tokens
from inferplane.controlplane.apiserver.calls import ADMIN, Call, User
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import StatusError, qualified
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.tokens import Bearer

# Health and version say nothing that needs a secret, and probes have none.
OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version")
OWN_REVIEWS = ("selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews")
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, slots=True)
class Gate:
    """Knows the administrator by `token`."""

    token: str

    def user(self, core: Core, path: str, authorization: str) -> User | None:
        """None for a stranger where strangers may not be."""
        if any(path == one or path.startswith(f"{one}/") for one in OPEN_PATHS):
            return ADMIN
        scheme, _, given = authorization.partition(" ")
        given = given.strip()
        if scheme.lower() != "bearer":
            return None
        if hmac.compare_digest(given.encode(), self.token.encode()):
            return ADMIN
        bearer = known(core, given, core.clock.now())
        if bearer is None or tokens.ISSUER not in bearer.audiences:
            return None
        return User(bearer.username, bearer.uid, bearer.groups)


def known(core: Core, token: str, now: datetime) -> Bearer | None:
    """Whom a ServiceAccount's token is for, as long as the account and the Pod it is bound to are there."""
    bearer = tokens.read(core.signing_key, token, now) if core.signing_key else None
    if bearer is None or not _lives(core, "serviceaccounts", bearer.namespace, bearer.account, bearer.uid):
        return None
    if bearer.bound and not _lives(core, "pods", bearer.namespace, bearer.pod, bearer.bound):
        return None
    return bearer


def _lives(core: Core, plural: str, namespace: str, name: str, uid: str) -> bool:
    kind = core.registry.find("", "v1", plural)
    assert kind is not None  # built in
    found = core.storage.get(kind, namespace, name)
    return found is not None and objects.uid(found.object) == uid


def permits(user: User, kind: Kind) -> bool:
    return user is ADMIN or kind.resource.plural in OWN_REVIEWS


def check(call: Call) -> None:
    """Raises 403."""
    if not permits(call.user, call.kind):
        raise refused(call)


def refused(call: Call) -> StatusError:
    resource = call.kind.resource
    shown = f"{resource.plural}/{call.subresource}" if call.subresource else resource.plural
    place = f' in the namespace "{call.namespace}"' if call.namespace else " at the cluster scope"
    what = f'cannot {_verb(call)} resource "{shown}" in API group "{resource.group}"{place}'
    title = qualified(resource) + (f' "{call.name}"' if call.name else "")
    message = f'{title} is forbidden: User "{call.user.name}" {what}'
    return StatusError(403, "Forbidden", message, errors.named(resource, call.name))


def _verb(call: Call) -> str:
    if call.method == "DELETE":
        return "delete" if call.name else "deletecollection"
    if call.method != "GET":
        return _VERBS.get(call.method, call.method.lower())
    return "watch" if call.flag("watch") else "get" if call.name else "list"
