"""What the agent is told to do, in the model server or as a sidecar: log payloads, batch requests, pull models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

CONFIG_DIR = Path("/mnt/configs")
MODEL_DIR = Path("/mnt/models")
CA_DIRECTORY = Path("/etc/tls/logger")
MARSHALLER_URL = "http://localhost:9083/marshal"
"""KServe's own marshaller; with this URL records are marshalled here, without a hop."""

MAX_BATCH_SIZE = 32
MAX_LATENCY = 0.0
"""KServe's is 5 s: a request that is alone would wait that long for nobody (docs/batching.md)."""


class Mode(StrEnum):
    """Which halves of an exchange are logged."""

    ALL = "all"
    REQUEST = "request"
    RESPONSE = "response"


class ContentMode(StrEnum):
    """How an HTTP sink gets its events (CloudEvents' HTTP binding, 3.1 to 3.3)."""

    BINARY = "binary"
    STRUCTURED = "structured"
    BATCHED = "batched"


class Format(StrEnum):
    """Of a file of events. JSON, CSV and PARQUET hold KServe's records, JSONL an event in structured form a line."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Of sinks that write files. `format` None is the sink's own; `batch_interval` in seconds, 0 for none."""

    path: str = ""
    format: Format | None = None
    marshaller_url: str = MARSHALLER_URL
    batch_size: int = 1
    batch_interval: float = 0.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of what waits to be sent, for each sink: events, and bytes of their payloads. What comes past it is dropped.

    `flush` is how many seconds an agent that stops gives its sinks to take what is left.
    """

    events: int = 50_000
    bytes: int = 64 * 1024 * 1024
    flush: float = 10.0


@dataclass(frozen=True, slots=True)
class Labels:
    """Whose events these are. An empty `source` is `http://localhost:PORT/`, with the port that the agent is on."""

    source: str = ""
    inference_service: str = ""
    namespace: str = ""
    endpoint: str = ""
    component: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoggerSettings:
    """Each of `urls` is a sink that gets all events. `share` of the exchanges is logged, 0 to 1.

    `headers` are those of the request that are told; `redact` the fields whose values are not, a dot between the names
    on the way. `senders` post to one HTTP sink at the same time.
    """

    urls: tuple[str, ...]
    labels: Labels = field(default_factory=Labels)
    mode: Mode = Mode.ALL
    headers: tuple[str, ...] = ()
    share: float = 1.0
    redact: tuple[str, ...] = ()
    content_mode: ContentMode = ContentMode.BINARY
    store: StoreSettings = field(default_factory=StoreSettings)
    bounds: Bounds = field(default_factory=Bounds)
    senders: int = 5
    authorities: Path | None = None
    skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class BatcherSettings:
    """`max_latency` and `timeout` in seconds; without a timeout (None) a batch may take as long as it takes."""

    max_batch_size: int = MAX_BATCH_SIZE
    max_latency: float = MAX_LATENCY
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class PullerSettings:
    """The directory with `models.json`, and the one that models are fetched into."""

    config_dir: Path = CONFIG_DIR
    model_dir: Path = MODEL_DIR


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """None is: not asked for."""

    logger: LoggerSettings | None = None
    batcher: BatcherSettings | None = None
    puller: PullerSettings | None = None


@dataclass(frozen=True, slots=True)
class SidecarSettings:
    """Ports of the sidecar, of the server behind it, and of the sidecar's own metrics (0 for none)."""

    port: int
    component_port: int
    metrics_port: int
    agent: AgentSettings
