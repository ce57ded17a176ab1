"""Who may talk to the API server: the holder of the bearer token."""

import hmac

# Health and version say nothing that needs a secret, and probes have none.
OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version")


def allowed(path: str, authorization: str, token: str) -> bool:
    if any(path == one or path.startswith(f"{one}/") for one in OPEN_PATHS):
        return True
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
