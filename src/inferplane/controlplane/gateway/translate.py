"""The plan's values → Envoy's configuration messages, one function a kind. What each option is for stands beside it."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import TypeAlias

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2
from envoy.config.core.v3 import address_pb2, base_pb2, config_source_pb2, substitution_format_string_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf import any_pb2, duration_pb2, struct_pb2, wrappers_pb2
from google.protobuf.message import Message

from inferplane.controlplane.gateway.access import checks, transport
from inferplane.controlplane.gateway.load import measure
from inferplane.controlplane.gateway.tapping import tap
from inferplane.controlplane.gateway.values import (
    Answer,
    Assignment,
    Cluster,
    Forward,
    HeaderEdits,
    Listener,
    Match,
    Mirror,
    PathKind,
    PathRewrite,
    Redirect,
    Route,
    Target,
    ValueMatch,
    VirtualHost,
)
from inferplane.resources import activator

RouteMatch: TypeAlias = route_components_pb2.RouteMatch
RouteAction: TypeAlias = route_components_pb2.RouteAction
Format: TypeAlias = substitution_format_string_pb2.SubstitutionFormatString

METADATA = "inferplane"
# Named by a target whose Service doesn't exist; Envoy has no cluster of that name and answers as the route says.
NO_CLUSTER = "backend-not-found"

CONNECT_TIMEOUT = 2.0
# A stream may be silent for as long as a long prediction takes; a dead client is found by TCP keep-alive before.
STREAM_IDLE_TIMEOUT = 3600.0
# Model servers on uvicorn close a connection that is idle for 5 s. We must close first, or a request meets the closing.
UPSTREAM_IDLE_TIMEOUT = 4.0
HEADERS_TIMEOUT = 10.0
# Thousands of connections to one replica are legitimate; limits belong to the autoscaler's concurrency target.
UNLIMITED = 1_000_000
BACKLOG = 4096


def _any(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message, deterministic=True)
    return packed


def _duration(seconds: float) -> duration_pb2.Duration:
    whole = int(seconds)
    return duration_pb2.Duration(seconds=whole, nanos=round((seconds - whole) * 1_000_000_000))


def _from_ads() -> config_source_pb2.ConfigSource:
    """No limit on the first wait: until the control plane answers there is nothing better than waiting."""
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(),
        resource_api_version=config_source_pb2.ApiVersion.V3,
        initial_fetch_timeout=_duration(0),
    )


# --- listeners --------------------------------------------------------------------------------------------------------


def listener(value: Listener) -> listener_pb2.Listener:
    """Without addresses only Envoy itself can reach it."""
    chain = _chain(value)
    if not value.addresses:
        inside = listener_pb2.Listener.InternalListenerConfig()
        return listener_pb2.Listener(name=value.name, internal_listener=inside, filter_chains=[chain])
    first, *others = (_address(address, value.port) for address in value.addresses)
    return listener_pb2.Listener(
        name=value.name,
        address=first,
        additional_addresses=[listener_pb2.AdditionalAddress(address=one) for one in others],
        filter_chains=[chain],
        tcp_backlog_size=wrappers_pb2.UInt32Value(value=BACKLOG),
        # Two Envoys must not share a port unnoticed, and few long connections must spread over the workers.
        enable_reuse_port=wrappers_pb2.BoolValue(value=False),
        connection_balance_config=listener_pb2.Listener.ConnectionBalanceConfig(
            exact_balance=listener_pb2.Listener.ConnectionBalanceConfig.ExactBalance()
        ),
    )


def _chain(value: Listener) -> listener_components_pb2.FilterChain:
    connections = listener_components_pb2.Filter(
        name="envoy.filters.network.http_connection_manager", typed_config=_any(_connection_manager(value))
    )
    chain = transport(value.access.certificate) if value.access.certificate else listener_components_pb2.FilterChain()
    chain.filters.append(connections)
    return chain


def _address(address: str, port: int) -> address_pb2.Address:
    return address_pb2.Address(socket_address=address_pb2.SocketAddress(address=address, port_value=port))


def _connection_manager(value: Listener) -> hcm_pb2.HttpConnectionManager:
    """HTTP/1.1 and HTTP/2 on one port; bodies pass through unbuffered; no limit on a whole request."""
    router = hcm_pb2.HttpFilter(
        name="envoy.filters.http.router", typed_config=_any(router_pb2.Router(suppress_envoy_headers=True))
    )
    manager = hcm_pb2.HttpConnectionManager(
        codec_type=hcm_pb2.HttpConnectionManager.CodecType.AUTO,
        stat_prefix=value.name,
        http_filters=[*_filters(value), router],
        strip_any_host_port=True,
        use_remote_address=wrappers_pb2.BoolValue(value=True),
        normalize_path=wrappers_pb2.BoolValue(value=True),
        # Model servers number requests themselves, and know a head again that has no id in it.
        generate_request_id=wrappers_pb2.BoolValue(value=False),
        server_header_transformation=hcm_pb2.HttpConnectionManager.PASS_THROUGH,
        # Else Envoy refuses the upgrade; a connection that was upgraded is only passed on.
        upgrade_configs=[hcm_pb2.HttpConnectionManager.UpgradeConfig(upgrade_type="websocket")],
        stream_idle_timeout=_duration(STREAM_IDLE_TIMEOUT),
        request_headers_timeout=_duration(HEADERS_TIMEOUT),
        local_reply_config=_local_replies(),
    )
    measure(manager)
    if value.only is None:
        manager.rds.CopyFrom(hcm_pb2.Rds(config_source=_from_ads(), route_config_name=value.routes or value.name))
    else:
        manager.route_config.name = value.name
        manager.route_config.virtual_hosts.append(virtual_host(value.only))
        # Its clusters may come a moment later, and go a moment earlier.
        manager.route_config.validate_clusters.value = False
    return manager


def _filters(value: Listener) -> list[hcm_pb2.HttpFilter]:
    """Before the router. Between processes of this machine (`only`) nothing is checked and nothing recorded."""
    checked = [] if value.access.who is None else [checks(value.access.who)]
    return checked if value.only else [*checked, tap()]


_SERVICE = f"%METADATA(CLUSTER:{METADATA}:service)%"
# (response flag, status or 0 for Envoy's own, what the client is told). Flags: Envoy's access log, RESPONSE_FLAGS.
_REPLIES = (
    ("NR", 404, "nothing is served at host %REQ(:AUTHORITY)% and path %REQ(:PATH)%"),
    ("UH", 503, f"service {_SERVICE} has no ready replica"),
    ("UF", 503, f"service {_SERVICE}: its replica did not accept the connection"),
    ("UC", 503, f"service {_SERVICE}: its replica closed the connection before it answered"),
    ("UT", 504, f"service {_SERVICE} did not answer within the route's timeout"),
    ("NC", 0, "the Service that this route names does not exist"),
    ("UO", 503, f"service {_SERVICE} has too many requests waiting"),
)


def _local_replies() -> hcm_pb2.LocalReplyConfig:
    """Envoy's own answers are `{"error": …}` and name what was asked for."""
    config = hcm_pb2.LocalReplyConfig(body_format=_error("%LOCAL_REPLY_BODY%"))
    for flag, status, text in _REPLIES:
        condition = accesslog_pb2.AccessLogFilter(response_flag_filter=accesslog_pb2.ResponseFlagFilter(flags=[flag]))
        mapper = hcm_pb2.ResponseMapper(filter=condition, body_format_override=_error(text))
        if status:
            mapper.status_code.value = status
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            mapper.headers_to_add.add(header=base_pb2.HeaderValue(key="retry-after", value="1"))
        config.mappers.append(mapper)
    return config


def _error(text: str) -> Format:
    return Format(
        json_format=struct_pb2.Struct(fields={"error": struct_pb2.Value(string_value=text)}),
        content_type="application/json",
    )


# --- routes -----------------------------------------------------------------------------------------------------------


def route_table(name: str) -> route_pb2.RouteConfiguration:
    """Empty but for where its virtual hosts come from: one by one over VHDS."""
    return route_pb2.RouteConfiguration(name=name, vhds=route_pb2.Vhds(config_source=_from_ads()))


def virtual_host(value: VirtualHost) -> route_components_pb2.VirtualHost:
    return route_components_pb2.VirtualHost(
        name=value.name,
        domains=[value.domain],
        routes=[_route(one) for one in value.routes],
        retry_policy=_retries(),
    )


def part(route: Route) -> route_components_pb2.VirtualHost:
    """A virtual host of nothing but this route: its bytes behind those of another one add the route to that."""
    return route_components_pb2.VirtualHost(routes=[_route(route)])


def _retries(try_timeout: float = 0.0) -> route_components_pb2.RetryPolicy:
    """One more try elsewhere, and only for requests that no replica has seen: the one chosen has just died."""
    policy = route_components_pb2.RetryPolicy(
        retry_on="connect-failure,refused-stream,reset-before-request",
        num_retries=wrappers_pb2.UInt32Value(value=1),
        # The pick is random: with two replicas each attempt finds the same one again every second time.
        host_selection_retry_max_attempts=20,
    )
    predicate = policy.retry_host_predicate.add(name="envoy.retry_host_predicates.previous_hosts")
    predicate.typed_config.CopyFrom(_any(previous_hosts_pb2.PreviousHostsPredicate()))
    if try_timeout:
        policy.per_try_timeout.CopyFrom(_duration(try_timeout))
    return policy


def _route(value: Route) -> route_components_pb2.Route:
    route = route_components_pb2.Route(match=_match(value.match))
    match value.action:
        case Forward():
            route.route.CopyFrom(_forward(value.action, value.match))
        case Redirect():
            route.redirect.CopyFrom(_redirect(value.action, value.match))
        case Answer(status, message):
            route.direct_response.status = status
            route.direct_response.body.inline_string = message
    _edit_route(route, value.request, value.response)
    return route


def _match(value: Match) -> RouteMatch:
    match = RouteMatch(
        headers=[_header(one) for one in value.headers], query_parameters=[_parameter(one) for one in value.query]
    )
    if value.method:
        match.headers.append(_header(ValueMatch(":method", value.method)))
    if value.kind is PathKind.EXACT:
        match.path = value.path
    elif value.kind is PathKind.REGEX:
        match.safe_regex.regex = value.path
    elif value.path == "/":
        match.prefix = "/"
    else:
        match.path_separated_prefix = value.path
    return match


def _string(value: ValueMatch) -> string_pb2.StringMatcher:
    if value.regex:
        return string_pb2.StringMatcher(safe_regex=regex_pb2.RegexMatcher(regex=value.value))
    return string_pb2.StringMatcher(exact=value.value)


def _header(value: ValueMatch) -> route_components_pb2.HeaderMatcher:
    return route_components_pb2.HeaderMatcher(name=value.name, string_match=_string(value))


def _parameter(value: ValueMatch) -> route_components_pb2.QueryParameterMatcher:
    return route_components_pb2.QueryParameterMatcher(name=value.name, string_match=_string(value))


def _forward(value: Forward, match: Match) -> RouteAction:
    # A timeout counts from the request's last byte to the answer's last; 0 is none. A stream whose request stays open
    # is not limited by it.
    action = RouteAction(
        timeout=_duration(value.timeout),
        cluster_not_found_response_code=RouteAction.ClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR,
    )
    if value.timeout > STREAM_IDLE_TIMEOUT:
        action.idle_timeout.CopyFrom(_duration(value.timeout))
    if value.idle_timeout:
        action.idle_timeout.CopyFrom(_duration(value.idle_timeout))
    if value.try_timeout:
        action.retry_policy.CopyFrom(_retries(value.try_timeout))
    if value.host:
        action.host_rewrite_literal = value.host
    if value.path:
        _rewrite(action, value.path, match)
    _send(action, value.targets)
    action.request_mirror_policies.extend(map(_mirrored, value.mirrors))
    return action


def _mirrored(value: Mirror) -> "route_components_pb2.RouteAction.RequestMirrorPolicy":
    """Envoy knows shares of 100, 10,000 and a million."""
    policy = RouteAction.RequestMirrorPolicy(cluster=value.cluster)
    share = policy.runtime_fraction.default_value
    share.numerator = min(_MILLION, round(value.numerator * _MILLION / value.denominator))
    share.denominator = percent_pb2.FractionalPercent.DenominatorType.MILLION
    if value.host:
        policy.host_rewrite_literal = value.host
    else:
        # Replicas are told the host that was asked for, as with any other request.
        policy.disable_shadow_host_suffix_append = True
    return policy


_MILLION = 1_000_000


def _send(action: RouteAction, targets: tuple[Target, ...]) -> None:
    if len(targets) == 1 and targets[0] == Target(targets[0].cluster, targets[0].weight):
        action.cluster = targets[0].cluster or NO_CLUSTER
        return
    for one in targets:
        share = action.weighted_clusters.clusters.add(name=one.cluster or NO_CLUSTER)
        share.weight.value = one.weight
        _edit_route(share, one.request, one.response)


def _rewrite(action: RouteAction | route_components_pb2.RedirectAction, path: PathRewrite, match: Match) -> None:
    """Plain prefix replacement would leave two slashes or none where one side is the root; a pattern doesn't."""
    if path.prefix and match.path != "/" and path.replacement != "/":
        action.prefix_rewrite = path.replacement
        return
    stem = "" if match.path == "/" else re.escape(match.path)
    action.regex_rewrite.pattern.regex = f"^{stem}/*" if path.prefix else "^/.*$"
    ending = "/" if path.prefix and path.replacement != "/" else ""
    action.regex_rewrite.substitution = path.replacement.replace("\\", "\\\\") + ending


_REDIRECT_CODES = {301: 0, 302: 1, 303: 2, 307: 3, 308: 4}


def _redirect(value: Redirect, match: Match) -> route_components_pb2.RedirectAction:
    action = route_components_pb2.RedirectAction(response_code=_REDIRECT_CODES[value.status])
    if value.scheme:
        action.scheme_redirect = value.scheme
    if value.host:
        action.host_redirect = value.host
    if value.port:
        action.port_redirect = value.port
    if value.path and value.path.prefix:
        _rewrite(action, value.path, match)
    elif value.path:
        action.path_redirect = value.path.replacement
    return action


_SET = base_pb2.HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
_ADD = base_pb2.HeaderValueOption.HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD


def _edit_route(
    target: "route_components_pb2.Route | route_components_pb2.WeightedCluster.ClusterWeight",
    request: HeaderEdits,
    response: HeaderEdits,
) -> None:
    target.request_headers_to_add.extend(_edits(request))
    target.request_headers_to_remove.extend(request.remove)
    target.response_headers_to_add.extend(_edits(response))
    target.response_headers_to_remove.extend(response.remove)


def _edits(edits: HeaderEdits) -> Iterable[base_pb2.HeaderValueOption]:
    for action, headers in ((_SET, edits.set), (_ADD, edits.add)):
        for name, text in headers:
            # Envoy reads %…% as a command in header values.
            header = base_pb2.HeaderValue(key=name, value=text.replace("%", "%%"))
            yield base_pb2.HeaderValueOption(header=header, append_action=action)


# --- clusters and endpoints -------------------------------------------------------------------------------------------


def cluster(value: Cluster) -> cluster_pb2.Cluster:
    described = struct_pb2.Struct(fields={"service": struct_pb2.Value(string_value=_title(value))})
    limits = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        max_connections=wrappers_pb2.UInt32Value(value=UNLIMITED),
        max_pending_requests=wrappers_pb2.UInt32Value(value=UNLIMITED),
        max_requests=wrappers_pb2.UInt32Value(value=UNLIMITED),
        max_retries=wrappers_pb2.UInt32Value(value=UNLIMITED),
    )
    made = cluster_pb2.Cluster(
        name=value.name,
        type=cluster_pb2.Cluster.DiscoveryType.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(eds_config=_from_ads()),
        connect_timeout=_duration(CONNECT_TIMEOUT),
        lb_policy=cluster_pb2.Cluster.LbPolicy.LEAST_REQUEST,
        circuit_breakers=circuit_breaker_pb2.CircuitBreakers(thresholds=[limits]),
        metadata=base_pb2.Metadata(filter_metadata={METADATA: described}),
    )
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    made.typed_extension_protocol_options[options].CopyFrom(_any(_protocol(value)))
    return made


def _title(value: Cluster) -> str:
    """What clients are told that it is. Whoever meets the activator's trouble asked for another service."""
    name = f"{value.namespace}/{value.service}"
    is_activator = (value.namespace, value.service) == (activator.NAMESPACE, activator.NAME)
    return f"{name} (it wakes services that sleep)" if is_activator else name


def _protocol(value: Cluster) -> http_protocol_options_pb2.HttpProtocolOptions:
    options = http_protocol_options_pb2.HttpProtocolOptions()
    if value.http2:
        options.explicit_http_config.http2_protocol_options.SetInParent()
    else:
        options.explicit_http_config.http_protocol_options.SetInParent()
        options.common_http_protocol_options.idle_timeout.CopyFrom(_duration(UPSTREAM_IDLE_TIMEOUT))
    return options


def assignment(value: Assignment) -> endpoint_pb2.ClusterLoadAssignment:
    made = endpoint_pb2.ClusterLoadAssignment(cluster_name=value.cluster)
    if value.endpoints:
        replicas = made.endpoints.add()
        for one in sorted(value.endpoints):
            address = _address(one.address, one.port)
            replicas.lb_endpoints.append(
                endpoint_components_pb2.LbEndpoint(endpoint=endpoint_components_pb2.Endpoint(address=address))
            )
    return made
