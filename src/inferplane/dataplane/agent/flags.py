"""The agent's flags: KServe's by name, default and bound, and a few of our own.

`inferplane serve` and the servers of model authors take those of `add_agent_flags`, `inferplane agent` takes all. The
names have dashes, as KServe's agent has them; what they are stored under begins with `agent_`, because servers have
flags such as `--workers` and `--max_latency` that mean something else.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from inferplane.dataplane.agent.settings import (
    CA_DIRECTORY,
    CONFIG_DIR,
    MARSHALLER_URL,
    MAX_BATCH_SIZE,
    MAX_LATENCY,
    MODEL_DIR,
    AgentSettings,
    BatcherSettings,
    Bounds,
    ContentMode,
    Format,
    Labels,
    LoggerSettings,
    Mode,
    PullerSettings,
    SidecarSettings,
    StoreSettings,
)

PORT = 9081
COMPONENT_PORT = 8080
METRICS_PORT = 9082

_CA_FILE = "service-ca.crt"
_DEFAULTS = Bounds()


def add_agent_flags(to: argparse.ArgumentParser) -> None:
    """Logger, batcher and puller."""
    _add_logger_flags(to)
    _add_store_flags(to)
    _add_own_logger_flags(to)
    _add_batcher_flags(to)
    _add_puller_flags(to)


def add_sidecar_flags(to: argparse.ArgumentParser) -> None:
    """What an agent needs that runs beside the server, not in it."""
    to.add_argument("--port", dest="agent_port", type=_port, default=PORT, help="port to listen on")
    to.add_argument(
        "--component-port",
        dest="agent_component_port",
        type=_port,
        default=COMPONENT_PORT,
        help="port of the server that requests are passed on to, on this pod's address",
    )
    to.add_argument(
        "--metrics-port",
        dest="agent_metrics_port",
        type=_port,
        default=METRICS_PORT,
        help="port of the agent's own /metrics; 0 for none",
    )
    to.add_argument(
        "--workers", dest="agent_workers", type=_count, default=5, help="requests to one log sink at the same time"
    )


def agent_settings(found: argparse.Namespace) -> AgentSettings:
    """Of what `add_agent_flags` has read."""
    batcher = BatcherSettings(found.agent_max_batchsize, found.agent_max_latency, found.agent_batcher_timeout)
    puller = PullerSettings(found.agent_config_dir, found.agent_model_dir)
    return AgentSettings(
        _logger(found) if found.agent_log_url else None,
        batcher if found.agent_enable_batcher else None,
        puller if found.agent_enable_puller else None,
    )


def sidecar_settings(found: argparse.Namespace) -> SidecarSettings:
    """Of what both have read."""
    return SidecarSettings(
        found.agent_port, found.agent_component_port, found.agent_metrics_port, agent_settings(found)
    )


def _add_logger_flags(to: argparse.ArgumentParser) -> None:
    """KServe's."""
    flag = _Flags(to)
    flag("log-url", "where events go (http, https, file, s3, gs, abfs, kafka); several with commas", type=_urls)
    flag("source-uri", "the events' source (http://localhost:PORT/ when empty)", default="")
    flag("log-mode", "all, request or response", type=_mode, default=Mode.ALL)
    for name in ("inference-service", "namespace", "endpoint", "component"):
        flag(name, "said in each event", default="")
    flag("metadata-headers", "headers of the request that events tell, with commas", type=_words)
    flag("metadata-annotations", "NAME=VALUE that events tell, with commas", type=_pairs)
    flag("logger-ca-cert-file", f"authorities of sinks, in {CA_DIRECTORY} unless absolute", default=_CA_FILE)
    flag("logger-tls-skip-verify", "trust any certificate of a sink", type=_truth, default=False, nargs="?", const=True)


def _add_store_flags(to: argparse.ArgumentParser) -> None:
    """KServe's."""
    flag = _Flags(to)
    flag("log-store-path", "where files lie in a bucket, below service and component", default="")
    flag("log-store-format", "json, csv, parquet, or jsonl: an event a line (what file: URLs get)", type=_format)
    flag("log-marshaller-url", "who makes files of records, when it is not the agent", default=MARSHALLER_URL)
    flag("log-marshaller-port", "without effect: there is no port for marshalling here", type=_port, default=9083)
    flag("log-batch-size", "events of a file, or of a batch", type=_count, default=1)
    flag("log-batch-interval", "how long a batch waits to fill, as 1m30s (for ever: 0)", type=_duration, default=0.0)


def _add_own_logger_flags(to: argparse.ArgumentParser) -> None:
    flag = _Flags(to)
    flag("log-share", "share of the requests that is logged, 0 to 1", type=_share, default=1.0)
    flag("log-redact", "fields whose values are left out, with commas, such as instances.name", type=_words)
    flag(
        "log-content-mode",
        "of HTTP sinks: binary (an event is a request, as KServe's), structured, or batched",
        type=_content_mode,
        default=ContentMode.BINARY,
    )
    flag("log-queue", "events that wait for a sink; more are dropped", type=_count, default=_DEFAULTS.events)
    flag("log-queue-bytes", "bytes of payloads that wait for a sink", type=_count, default=_DEFAULTS.bytes)
    flag("log-flush", "seconds for sinks to take what is left at the end", type=_positive, default=_DEFAULTS.flush)


def _add_batcher_flags(to: argparse.ArgumentParser) -> None:
    flag = _Flags(to)
    flag(
        "enable-batcher",
        "join requests that wait, as KServe's agent does",
        type=_truth,
        default=False,
        nargs="?",
        const=True,
    )
    flag("max-batchsize", "instances of a batch", type=_count, default=MAX_BATCH_SIZE)
    flag(
        "max-latency",
        "milliseconds that a batch waits to fill (none when not given)",
        type=_milliseconds,
        default=MAX_LATENCY,
    )
    flag("batcher-timeout", "milliseconds that a batch may take (no limit when not given)", type=_milliseconds)


def _add_puller_flags(to: argparse.ArgumentParser) -> None:
    flag = _Flags(to)
    flag("enable-puller", "fetch and load what models.json names", type=_truth, default=False, nargs="?", const=True)
    flag("config-dir", "the directory of models.json", type=Path, default=CONFIG_DIR)
    flag("model-dir", "the directory that models are fetched into", type=Path, default=MODEL_DIR)


class _Flags:
    def __init__(self, to: argparse.ArgumentParser) -> None:
        self._to = to

    def __call__(self, name: str, help: str, **more: object) -> None:
        dest = f"agent_{name.replace('-', '_')}"
        self._to.add_argument(f"--{name}", dest=dest, help=help, **more)  # type: ignore[arg-type]  # argparse's own


def _logger(found: argparse.Namespace) -> LoggerSettings:
    return LoggerSettings(
        urls=found.agent_log_url,
        labels=Labels(
            source=found.agent_source_uri,
            inference_service=found.agent_inference_service,
            namespace=found.agent_namespace,
            endpoint=found.agent_endpoint,
            component=found.agent_component,
            annotations=dict(found.agent_metadata_annotations or ()),
        ),
        mode=found.agent_log_mode,
        headers=found.agent_metadata_headers or (),
        share=found.agent_log_share,
        redact=found.agent_log_redact or (),
        content_mode=found.agent_log_content_mode,
        store=_store(found),
        bounds=Bounds(found.agent_log_queue, found.agent_log_queue_bytes, found.agent_log_flush),
        senders=getattr(found, "agent_workers", 5),
        authorities=_authorities(found.agent_logger_ca_cert_file),
        skip_verify=found.agent_logger_tls_skip_verify,
    )


def _store(found: argparse.Namespace) -> StoreSettings:
    return StoreSettings(
        found.agent_log_store_path,
        found.agent_log_store_format,
        found.agent_log_marshaller_url,
        found.agent_log_batch_size,
        found.agent_log_batch_interval,
    )


def _authorities(name: str) -> Path | None:
    return CA_DIRECTORY / name if name else None


# Values.

_COMMA_BEFORE_URL = re.compile(r"[,\s]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def _urls(text: str) -> tuple[str, ...]:
    return tuple(url for url in _COMMA_BEFORE_URL.split(text.strip()) if url)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [word.partition("=") for word in _words(text)]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise argparse.ArgumentTypeError(f"expected NAME=VALUE with commas, got {text!r}")
    return tuple((name, value) for name, _, value in pairs)


def _one_of(kind: type[Mode] | type[ContentMode], text: str) -> str:
    names: Sequence[str] = [one.value for one in kind]
    if text not in names:
        raise argparse.ArgumentTypeError(f"expected {', '.join(names)}, got {text!r}")
    return text


def _mode(text: str) -> Mode:
    return Mode(_one_of(Mode, text))


def _content_mode(text: str) -> ContentMode:
    return ContentMode(_one_of(ContentMode, text))


def _format(text: str) -> Format | None:
    """What KServe does not know is json to it."""
    if not text:
        return None
    return Format(text.lower()) if text.lower() in list(Format) else Format.JSON


def _truth(text: str) -> bool:
    """As Go reads it."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")


def _duration(text: str) -> float:
    """Seconds of a Go duration."""
    parts = _DURATION.findall(text)
    if text != "0" and (not parts or "".join(number + unit for number, unit in parts) != text):
        raise argparse.ArgumentTypeError(f"expected a duration such as 500ms or 1m30s, got {text!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _number(text: str) -> float:
    number = float(text)
    if number != number:
        raise argparse.ArgumentTypeError(f"expected a number, got {text}")
    return number


def _positive(text: str) -> float:
    number = _number(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def _milliseconds(text: str) -> float:
    return _positive(text) / 1000


def _share(text: str) -> float:
    number = _number(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, got {text}")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {number}")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {number}")
    return number
