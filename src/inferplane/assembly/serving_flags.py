"""The command line of a model author's own server: KServe's flags, with its names, types and defaults.

`parser` is meant as an argparse parent (`ArgumentParser(parents=[model_server.parser])`). A server that was given no
value for a setting takes it from here; flags of the author's own are not ours to judge, so unknown ones are ignored.

Flags of how calls are run (`--max_batch_size` and others) are read too, but are not in `parser`: KServe has none of
them, so an author may have flags of these names, which argparse would not add to a parent that has them. So are those
of the agent, for a service that says that this server has its work done (`inferplane.dev/agent: in-server`).
"""

import argparse
import os
import sys
from collections.abc import Sequence

from inferplane.assembly.model_server_grpc import PORT
from inferplane.assembly.predictor_flags import add_predictor_flags
from inferplane.assembly.server_flags import add_execution_flags, add_server_flags, yes_or_no
from inferplane.dataplane.agent.flags import add_agent_flags, agent_settings
from inferplane.dataplane.agent.settings import AgentSettings

GRPC_PORT = PORT
HTTPS_PORT = 8443

TLS_CERTIFICATE = "KSERVE_TLS_CERT_FILE"
TLS_KEY = "KSERVE_TLS_KEY_FILE"


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(add_help=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add_server_flags(made)
    made.set_defaults(
        grpc_port=GRPC_PORT, ssl_certfile=os.environ.get(TLS_CERTIFICATE), ssl_keyfile=os.environ.get(TLS_KEY)
    )
    _add_process_flags(made)
    _add_model_flags(made)
    return made


def _add_process_flags(to: argparse.ArgumentParser) -> None:
    to.add_argument("--enable_latency_logging", type=yes_or_no, default=True, help="log each request's stages")
    to.add_argument(
        "--configure_logging", type=yes_or_no, default=True, help="log to standard error, where nobody does"
    )
    to.add_argument("--log_config_file", help="logging configuration: .json, .yaml, .yml or an ini file")


def _add_model_flags(to: argparse.ArgumentParser) -> None:
    to.add_argument("--model_name", default="model", help="the name on the endpoint's path")
    add_predictor_flags(to)


parser = _parser()


def flags(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags on the command line. `has_grpc_port`: whether `--grpc_port` is among them; `agent`: AgentSettings."""
    # Its own parser: an author may have added to the shared one, or made arguments required there.
    own = _parser()
    add_execution_flags(own)
    own.set_defaults(grpc_port=None)
    given = sys.argv[1:] if arguments is None else arguments
    found, _ = own.parse_known_args(given)
    found.agent = _agent(given)
    found.has_grpc_port = found.grpc_port is not None
    if not found.has_grpc_port:
        found.grpc_port = GRPC_PORT
    return found


_AGENTS = ("--enable-batcher", "--log-url", "--enable-puller")


def _agent(arguments: Sequence[str]) -> AgentSettings:
    """Read only where there is something to do: an author may have flags of these names with other values."""
    asked = any(word.partition("=")[0] in _AGENTS for word in arguments)
    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_agent_flags(reader)
    return agent_settings(reader.parse_known_args(arguments if asked else [])[0])
