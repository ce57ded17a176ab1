"""The command line of a model author's own server: KServe's flags, with its names, types and defaults.

`parser` is meant as an argparse parent (`ArgumentParser(parents=[model_server.parser])`). A server that was given no
value for a setting takes it from here; flags of the author's own are not ours to judge, so unknown ones are ignored.
"""

import argparse
import os
import sys
from collections.abc import Sequence

HTTP_PORT = 8080
GRPC_PORT = 8081
HTTPS_PORT = 8443
MESSAGE_LENGTH = 8 * 1024 * 1024

TLS_CERTIFICATE = "KSERVE_TLS_CERT_FILE"
TLS_KEY = "KSERVE_TLS_KEY_FILE"

PROTOCOLS = ("v1", "v2", "grpc-v2")

_YES = ("y", "yes", "t", "true", "on", "1")
_NO = ("n", "no", "f", "false", "off", "0")


def strtobool(value: str) -> bool:
    """ValueError for what is neither."""
    if value.lower() in _YES:
        return True
    if value.lower() in _NO:
        return False
    raise ValueError(f"invalid truth value {value!r}")


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(add_help=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    _add_server_flags(made)
    _add_model_flags(made)
    return made


def _add_server_flags(to: argparse.ArgumentParser) -> None:
    to.add_argument("--http_port", type=int, default=HTTP_PORT, help="REST port; 0 lets the system choose")
    to.add_argument("--grpc_port", type=int, default=GRPC_PORT, help="gRPC port; 0 lets the system choose")
    to.add_argument("--workers", type=int, default=1, help="processes that share the ports")
    to.add_argument("--max_threads", type=int, default=4, help="threads of gRPC handlers that are not async")
    to.add_argument("--max_asyncio_workers", type=int, help="threads of the loop's executor")
    to.add_argument("--enable_grpc", type=strtobool, default=True, help="serve gRPC too")
    to.add_argument("--enable_docs_url", type=strtobool, default=False, help="serve API documentation at /docs")
    to.add_argument("--enable_latency_logging", type=strtobool, default=True, help="log each request's stages")
    to.add_argument(
        "--configure_logging", type=strtobool, default=True, help="log to standard error, where nobody does"
    )
    to.add_argument("--log_config_file", help="logging configuration: .json, .yaml, .yml or an ini file")
    to.add_argument("--access_log_format", help="a line of %%(field)s for each request, or json; none when not given")
    to.add_argument(
        "--enable_tracing", type=strtobool, help="OpenTelemetry spans; by the OTEL_ variables when not given"
    )
    to.add_argument("--event-loop", choices=("auto", "asyncio", "uvloop"), default="auto", help="auto is uvloop")
    to.add_argument("--timeout-keep-alive", type=int, default=65, help="seconds that an idle connection is kept")
    to.add_argument("--grpc_max_send_message_length", type=int, default=MESSAGE_LENGTH, help="bytes")
    to.add_argument("--grpc_max_receive_message_length", type=int, default=MESSAGE_LENGTH, help="bytes")
    to.add_argument(
        "--ssl_certfile", default=os.environ.get(TLS_CERTIFICATE), help=f"certificate, else ${TLS_CERTIFICATE}"
    )
    to.add_argument("--ssl_keyfile", default=os.environ.get(TLS_KEY), help=f"private key, else ${TLS_KEY}")


def _add_model_flags(to: argparse.ArgumentParser) -> None:
    to.add_argument("--model_name", default="model", help="the name on the endpoint's path")
    to.add_argument("--predictor_host", help="HOST[:PORT] of the predictor that a transformer asks")
    to.add_argument("--protocol", choices=PROTOCOLS, default="v1", help="deprecated, use --predictor_protocol")
    to.add_argument("--predictor_protocol", choices=PROTOCOLS, default="v1", help="how the predictor is asked")
    to.add_argument("--predictor_use_ssl", type=strtobool, default=False, help="ask the predictor over TLS")
    to.add_argument("--predictor_request_timeout_seconds", type=int, default=600, help="for the predictor's answer")
    to.add_argument("--predictor_request_retries", type=int, default=0, help="when the predictor cannot be reached")
    to.add_argument(
        "--enable_predictor_health_check", action="store_true", help="ready only while the predictor is ready"
    )


parser = _parser()


def flags(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags on the command line."""
    # Its own parser: an author may have added to the shared one, or made arguments required there.
    found, _ = _parser().parse_known_args(sys.argv[1:] if arguments is None else arguments)
    return found
