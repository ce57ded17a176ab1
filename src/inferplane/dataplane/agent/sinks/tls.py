"""How sinks prove who they are."""

import ssl
from urllib.parse import urlsplit

from inferplane.dataplane.agent.settings import LoggerSettings


def tls_context(settings: LoggerSettings) -> ssl.SSLContext | None:
    """None where no URL is https."""
    return trusting(settings) if any(urlsplit(url).scheme == "https" for url in settings.urls) else None


def trusting(settings: LoggerSettings) -> ssl.SSLContext:
    """A file of authorities that is not there is done without, as in KServe."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.authorities is not None and settings.authorities.is_file():
        context.load_verify_locations(settings.authorities)
    if settings.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
