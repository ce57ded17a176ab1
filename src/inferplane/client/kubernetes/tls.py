"""The TLS side of a `Connection`: whom we trust and the certificate we show."""

import ssl
import tempfile
from pathlib import Path

from inferplane.client.kubernetes.kubeconfig import Connection, KubeconfigError


def tls_context(connection: Connection) -> ssl.SSLContext:
    """Trusts the connection's CA alone when it names one, the system's otherwise."""
    try:
        context = ssl.create_default_context(cadata=connection.ca or None)
        if connection.client_certificate:
            _show(context, connection.client_certificate, connection.client_key)
    except ssl.SSLError as error:
        raise KubeconfigError(f"{connection.server}: certificate or key of the kubeconfig: {error}") from error
    if connection.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # OpenSSL reads a certificate chain only from files.
    with tempfile.TemporaryDirectory() as directory:
        chain = Path(directory, "client.pem")
        chain.touch(mode=0o600)
        chain.write_text(f"{certificate}\n{key}")
        context.load_cert_chain(chain)
