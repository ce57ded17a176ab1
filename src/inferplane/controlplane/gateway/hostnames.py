"""Host names of the Gateway API: exact, or `*.` in front for one or more labels. "" is any host."""


def intersect(listener: str, route: str) -> str | None:
    """The host name that both allow (the narrower one), None when they exclude each other.

    Source: the Gateway API's rules for HTTPRoute hostnames and listener hostnames.
    """
    listener, route = listener.lower(), route.lower()
    if covers(listener, route):
        return route
    return listener if covers(route, listener) else None


def covers(wide: str, narrow: str) -> bool:
    """Whether every host that `narrow` allows is allowed by `wide`."""
    if wide in ("", narrow):
        return True
    # `*.example.com` allows a.example.com and a.b.example.com, and not example.com itself.
    return wide.startswith("*.") and narrow.endswith(wide[1:]) and len(narrow) > len(wide) - 1


def domain(hostname: str) -> str:
    """As Envoy writes it. Envoy takes the most specific domain: exact, longest suffix, `*`."""
    return hostname or "*"
