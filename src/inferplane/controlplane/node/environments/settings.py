"""What uv is told about package indexes: the user's `UV_*` variables, and pip's where uv has none of its own (pure).

Whoever installed the platform through a mirror has said so to pip or to uv, in the environment or in `pip.conf`; what
the node installs comes from the same place. No host is named here.
"""

from collections.abc import Mapping

# Variables that uv and what it calls read themselves.
_PASSED = frozenset(
    {"HOME", "PATH", "LANG", "TMPDIR", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "XDG_CACHE_HOME"}
    | {"XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    | {name for proxy in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for name in (proxy, proxy.upper())}
)
# Of those, what would send uv to another environment or project than the one that it is told to make.
_NOT_PASSED = frozenset(
    {"UV_PYTHON", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_SYSTEM_PYTHON", "UV_BREAK_SYSTEM_PACKAGES"}
    | {"UV_WORKING_DIRECTORY", "UV_TARGET", "UV_PREFIX"}
)
# pip's name → uv's. Lists are separated by spaces there and, for find-links, by commas here.
_TRANSLATED = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "no-index": "UV_NO_INDEX",
}
_WITH_COMMAS = frozenset({"UV_FIND_LINKS"})
# uv's older names of the same settings: where one is set, pip's does not count.
_OLDER = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


def uv_environment(environ: Mapping[str, str], pip_config: Mapping[str, str]) -> dict[str, str]:
    """`pip_config`: options of pip's configuration files by their long name, such as `index-url`."""
    found = {name: value for name, value in environ.items() if _is_passed(name)}
    for option, name in _TRANSLATED.items():
        value = environ.get(f"PIP_{option.upper().replace('-', '_')}") or pip_config.get(option, "")
        if not value or name in found or _OLDER.get(name) in found:
            continue
        found[name] = ",".join(value.split()) if name in _WITH_COMMAS else " ".join(value.split())
        if name == "UV_INDEX":
            # pip takes the best version of all indexes; uv by default the first index that has the package at all.
            found.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return found


def _is_passed(name: str) -> bool:
    return name in _PASSED or (name.startswith("UV_") and name not in _NOT_PASSED)
