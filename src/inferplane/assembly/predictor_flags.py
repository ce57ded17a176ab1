"""Flags that say which predictor stands behind the models: KServe's, by name and default.

A transformer or an explainer of an author's own asks that predictor. A model of a built-in format predicts by itself;
there the flags only make its readiness depend on the predictor's, as in KServe's servers.
"""

import argparse
from collections.abc import Mapping

from inferplane.assembly.server_flags import WithoutEffect, count, retries, yes_or_no
from inferplane.dataplane.model.predictor import PredictorConfig, PredictorProtocol

PROTOCOLS = tuple(protocol.value for protocol in PredictorProtocol)


def add_predictor_flags(to: argparse.ArgumentParser) -> None:
    to.add_argument("--predictor_host", help="HOST[:PORT] of the predictor that a transformer asks")
    to.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="v1",
        action=WithoutEffect,
        help="without effect, as in KServe: use --predictor_protocol",
    )
    to.add_argument("--predictor_protocol", choices=PROTOCOLS, default="v1", help="how the predictor is asked")
    to.add_argument("--predictor_use_ssl", type=yes_or_no, default=False, help="ask the predictor over TLS")
    to.add_argument("--predictor_request_timeout_seconds", type=count, default=600, help="for the predictor's answer")
    to.add_argument("--predictor_request_retries", type=retries, default=0, help="when the predictor cannot be reached")
    to.add_argument(
        "--enable_predictor_health_check", action="store_true", help="ready only while the predictor is ready"
    )
    to.add_argument(
        "--predictor_binary_tensors",
        choices=tuple(_BINARY),
        default="auto",
        help="numbers as bytes (V2 over REST): as its metadata says, always or never",
    )


_BINARY = {"auto": None, "always": True, "never": False}


def predictor(found: argparse.Namespace, environ: Mapping[str, str]) -> PredictorConfig:
    """What the command line says of it."""
    return PredictorConfig(
        found.predictor_host,
        found.predictor_protocol,
        found.predictor_use_ssl,
        found.predictor_request_timeout_seconds,
        found.predictor_request_retries,
        found.enable_predictor_health_check,
        environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE"),
        _BINARY[found.predictor_binary_tensors],
    )


def asked_of_nobody(config: PredictorConfig, *, asks: bool = False) -> list[str]:
    """What a server of built-in formats has to say of these flags. `asks`: its models do not predict by themselves."""
    if config.predictor_health_check and not config.predictor_host:
        return ["--enable_predictor_health_check: no --predictor_host says which predictor; none is asked"]
    if config.predictor_host and not config.predictor_health_check and not asks:
        return ["--predictor_host: this model predicts by itself; only --enable_predictor_health_check asks there"]
    return []
