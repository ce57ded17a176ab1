"""Where the activator is found: its Service, and how another Service says that its requests go there.

The names are Knative's. `BACKEND` on a Service (value `NAMESPACE/NAME:PORT`) is a hint for our gateway: routes to it
use the named Service's cluster, which all that name it share. The named Service must allow that by the label
`SHARED_BACKEND`. A gateway that doesn't know it follows the Service's own EndpointSlices.
"""

import re

NAMESPACE = "knative-serving"
NAME = "activator-service"
HTTP = 80
HTTP2 = 81

BACKEND = "inferplane.dev/backend"
SHARED_BACKEND = "inferplane.dev/shared-backend"

REVISION_HEADER = "Knative-Serving-Revision"
NAMESPACE_HEADER = "Knative-Serving-Namespace"
"""Of a request: whom it is for."""

IDLE_TIMEOUT = "inferplane.dev/idle-timeout"
"""Annotation of an HTTPRoute: how long a request may be without a byte in either direction, such as `30s`."""

_REFERENCE = re.compile(r"([^/:]+)/([^/:]+):([0-9]{1,5})")


def backend(port: int) -> str:
    """The value of `BACKEND` that names the activator."""
    return f"{NAMESPACE}/{NAME}:{port}"


def read_backend(text: str) -> tuple[str, str, int] | None:
    """Namespace, name and port; None for what is no such reference."""
    found = _REFERENCE.fullmatch(text)
    return (found[1], found[2], int(found[3])) if found else None
