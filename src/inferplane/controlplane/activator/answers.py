"""What the activator itself answers, and how it knows which revision a request is for. Pure."""

from collections.abc import Mapping

from inferplane.controlplane.machinery.cache import Key
from inferplane.relay.answers import Answer
from inferplane.resources.activator import NAMESPACE_HEADER, REVISION_HEADER

REVISION = REVISION_HEADER.lower().encode()
NAMESPACE = NAMESPACE_HEADER.lower().encode()
PROBE = b"k-network-probe"

_NAME = "activator"

TIMED_OUT = Answer(504, "activator request timeout")
FULL = Answer(503, "too many requests wait for this revision", retry_after=1)
CROWDED = Answer(503, "the activator holds as many requests as it may", retry_after=1)
ENDING = Answer(503, "the control plane is shutting down", retry_after=1)


def unknown(revision: Key | None) -> Answer:
    return Answer(404, f"there is no revision {revision}" if revision else "the request names no revision")


def probed(names: Mapping[bytes, bytes]) -> Answer | None:
    """The answer to a probe of the network, None for a request that is none."""
    if (asked := names.get(PROBE)) is None:
        return None
    if asked == _NAME.encode():
        return Answer(200, _NAME)
    return Answer(400, f"unexpected probe header value: {asked.decode('latin-1')}")


def revision_named(names: Mapping[bytes, bytes], host: bytes) -> Key | None:
    """By the headers that routes add, else by the host name of the revision's Service within a cluster."""
    if names.get(REVISION) and names.get(NAMESPACE):
        return Key(names[NAMESPACE].decode("latin-1"), names[REVISION].decode("latin-1"))
    name, _, rest = host.partition(b":")[0].partition(b".")
    namespace, _, domain = rest.partition(b".")
    if name and namespace and domain.partition(b".")[0] == b"svc":
        return Key(namespace.decode("latin-1"), name.decode("latin-1"))
    return None
