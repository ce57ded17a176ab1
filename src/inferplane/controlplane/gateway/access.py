"""Who may come in from outside: TLS, and an API key or a JSON Web Token with every request, checked by Envoy itself.

Source: Envoy's filters api_key_auth and jwt_authn.
"""

from dataclasses import dataclass

from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_components_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.api_key_auth.v3 import api_key_auth_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2 as jwt_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2
from google.protobuf import any_pb2
from google.protobuf.message import Message

KEY_HEADERS = ("x-api-key", "authorization")
"""Where a key is looked for, in this order; in the second one behind `Bearer `."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Paths of PEM files."""

    chain: str
    key: str


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """(client, key)."""

    clients: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Tokens:
    """JWTs of this issuer, signed by a key of the JWKS file and, with `audiences`, meant for one of these."""

    issuer: str
    jwks: str
    audiences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Access:
    """None: no TLS, and nobody has to say who they are."""

    certificate: Certificate | None = None
    who: ApiKeys | Tokens | None = None


OPEN = Access()


def transport(certificate: Certificate) -> listener_components_pb2.FilterChain:
    """A filter chain that speaks TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1; to be filled with filters."""
    files = common_pb2.TlsCertificate(
        certificate_chain=base_pb2.DataSource(filename=certificate.chain),
        private_key=base_pb2.DataSource(filename=certificate.key),
    )
    versions = common_pb2.TlsParameters(tls_minimum_protocol_version=common_pb2.TlsParameters.TLSv1_2)
    common = tls_pb2.CommonTlsContext(tls_certificates=[files], tls_params=versions, alpn_protocols=["h2", "http/1.1"])
    socket = base_pb2.TransportSocket(
        name="envoy.transport_sockets.tls",
        typed_config=_any(tls_pb2.DownstreamTlsContext(common_tls_context=common)),
    )
    return listener_components_pb2.FilterChain(transport_socket=socket)


def checks(who: ApiKeys | Tokens) -> hcm_pb2.HttpFilter:
    """The filter that answers 401 to whoever may not come in, and takes key or token away from who may."""
    if isinstance(who, ApiKeys):
        return hcm_pb2.HttpFilter(name="envoy.filters.http.api_key_auth", typed_config=_any(_keys(who)))
    return hcm_pb2.HttpFilter(name="envoy.filters.http.jwt_authn", typed_config=_any(_tokens(who)))


def _keys(who: ApiKeys) -> api_key_auth_pb2.ApiKeyAuth:
    return api_key_auth_pb2.ApiKeyAuth(
        credentials=[api_key_auth_pb2.Credential(key=key, client=client) for client, key in who.clients],
        key_sources=[api_key_auth_pb2.KeySource(header=header) for header in KEY_HEADERS],
        # A model has no business with it, and a logged payload should not show it.
        forwarding=api_key_auth_pb2.Forwarding(hide_credentials=True),
    )


def _tokens(who: Tokens) -> jwt_pb2.JwtAuthentication:
    provider = jwt_pb2.JwtProvider(
        issuer=who.issuer, audiences=who.audiences, local_jwks=base_pb2.DataSource(filename=who.jwks)
    )
    everything = jwt_pb2.RequirementRule(
        match=route_components_pb2.RouteMatch(prefix="/"), requires=jwt_pb2.JwtRequirement(provider_name="issuer")
    )
    return jwt_pb2.JwtAuthentication(
        providers={"issuer": provider},
        rules=[everything],
        strip_failure_response=False,
        # Browsers ask without a token whether they may ask with one.
        bypass_cors_preflight=True,
    )


def _any(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message, deterministic=True)
    return packed
