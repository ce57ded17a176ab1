"""On one machine a Service has a listener: where its host name leads when a process has to reach it.

The node takes an address for a Service that a pod names, and records it in the Service's annotation; the gateway opens
the ports of that address. Both use the words and the rule of this module.
"""

LOCAL_ADDRESS = "inferplane.dev/local-address"

LOCAL_ROUTE = "inferplane.dev/local-route"
"""Annotation of a Service without pods of its own: the HTTPRoute of its namespace by which its requests are split."""

_PRIVILEGED = 1024
_ABOVE = 10_000


def local_port(port: int) -> int:
    """The listener's port for a port of the Service: processes without privileges may not listen below 1024."""
    return port if port >= _PRIVILEGED else port + _ABOVE
