"""The gateway with a real Envoy: objects in an API server in memory, requests over real sockets."""

import asyncio
import base64
import json
import socket
import ssl
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from typing import cast

import aiohttp
import grpc
import grpc.aio
import pytest
import trustme
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from tests.e2e.gateway_under_test import DEADLINE, HOST, Platform, Upstream, free_port, running, to, until

from inferplane.client.kubernetes.kinds import HTTP_ROUTE, SERVICE
from inferplane.controlplane.gateway.access import Access, ApiKeys, Certificate, Tokens
from inferplane.controlplane.gateway.values import Listener
from inferplane.kernel.json import Json, JsonObject

pytestmark = pytest.mark.e2e


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with running() as one:
        for name in ("a", "b"):
            one.upstreams.append(await Upstream(name).start())
        yield one


async def test_hosts_and_paths_lead_to_their_services_and_the_rest_is_told_so(platform: Platform) -> None:
    a, b = platform.upstreams
    await platform.service("iris", a.port)
    await platform.service("wine", b.port)
    headers: JsonObject = {"set": [{"name": "KServe-Isvc-Name", "value": "iris"}]}
    await platform.route(
        "iris",
        [HOST],
        to(
            "iris",
            matches=[{"path": {"type": "RegularExpression", "value": "^/.*$"}}],
            filters=[{"type": "RequestHeaderModifier", "requestHeaderModifier": headers}],
            timeouts={"request": "60s"},
        ),
    )
    prefix: JsonObject = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    await platform.route(
        "wine",
        ["localhost"],
        to(
            "wine",
            matches=[{"path": {"type": "PathPrefix", "value": "/serving/default/wine"}}],
            filters=[{"type": "URLRewrite", "urlRewrite": prefix}],
        ),
    )
    await platform.programmed("iris")
    await platform.programmed("wine")
    assert platform.condition("iris", "Accepted") == ("True", "Accepted")
    asked = await platform.get(f"{HOST}:{platform.port}", "/v1/models/iris:predict?x=1")
    assert asked == (200, {"name": "a", "path": "/v1/models/iris:predict?x=1", "told": "iris", "size": 0})
    rewritten = await platform.get("localhost", "/serving/default/wine/v2/health/live")
    assert (rewritten[1]["name"], rewritten[1]["path"]) == ("b", "/v2/health/live")
    assert (await platform.get("localhost", "/serving/default/wines"))[0] == 404
    assert await platform.get("nobody.localhost", "/v1") == (
        404,
        {"error": "nothing is served at host nobody.localhost and path /v1"},
    )


@pytest.mark.parametrize(
    ("prefix", "modifier", "asked", "arrives"),
    [
        ("/a", {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x/y"}, "/a/b?q=1", "/x/y/b?q=1"),
        ("/a", {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x"}, "/a", "/x"),
        ("/a", {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}, "/a/b/c", "/b/c"),
        ("/a", {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}, "/a", "/"),
        ("/", {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x"}, "/b", "/x/b"),
        ("/a", {"type": "ReplaceFullPath", "replaceFullPath": "/whole"}, "/a/b?q=1", "/whole?q=1"),
    ],
)
async def test_paths_are_rewritten(platform: Platform, prefix: str, modifier: Json, asked: str, arrives: str) -> None:
    await platform.service("iris", platform.upstreams[0].port)
    match: JsonObject = {"path": {"type": "PathPrefix", "value": prefix}}
    rewrite: JsonObject = {"type": "URLRewrite", "urlRewrite": {"path": modifier}}
    await platform.route("iris", [HOST], to("iris", matches=[match], filters=[rewrite]))
    await platform.programmed("iris")
    assert (await platform.get(HOST, asked))[1]["path"] == arrives


async def test_a_timeout_of_the_route_is_answered_with_504(platform: Platform) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        await platform.service("iris", silent.getsockname()[1])
        await platform.route("iris", [HOST], to("iris", timeouts={"request": "50ms"}))
        await platform.programmed("iris")
        assert await platform.get(HOST) == (
            504,
            {"error": "service default/iris did not answer within the route's timeout"},
        )


async def test_grpc_reaches_a_port_that_says_h2c(platform: Platform) -> None:
    async def echo(request: bytes, context: object) -> bytes:
        return request

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("iris.Echo", {"Echo": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await platform.service("iris", port, app_protocol="kubernetes.io/h2c")
    await platform.route("iris", [HOST], to("iris"))
    await platform.programmed("iris")
    options = [("grpc.default_authority", f"{HOST}:{platform.port}")]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{platform.port}", options=options) as channel:
        assert await channel.unary_unary("/iris.Echo/Echo")(b"hello") == b"hello"
    await server.stop(grace=None)


async def test_a_large_body_passes(platform: Platform) -> None:
    await platform.service("iris", platform.upstreams[0].port)
    await platform.route("iris", [HOST], to("iris"))
    await platform.programmed("iris")
    answer = await platform.get(HOST, body=BytesIO(bytes(100_000_000)))
    assert answer[1]["size"] == 100_000_000


async def test_weights_split_the_requests(platform: Platform) -> None:
    a, b = platform.upstreams
    await platform.service("old", a.port)
    await platform.service("new", b.port)
    refs: list[Json] = [{"name": "old", "port": 80, "weight": 80}, {"name": "new", "port": 80, "weight": 20}]
    await platform.route("iris", [HOST], {"backendRefs": refs})
    await platform.programmed("iris")
    names = Counter([(await platform.get(HOST))[1]["name"] for _ in range(500)])
    assert 50 < names["b"] < 150  # 100 expected, 9 is the standard deviation


async def test_endpoints_leave_and_return_without_a_failed_request(platform: Platform) -> None:
    a, b = platform.upstreams
    await platform.service("iris", a.port, b.port)
    await platform.route("iris", [HOST], to("iris"))
    await platform.programmed("iris")
    await platform.endpoints("iris", b.port)

    async def only_b() -> bool:
        return {(await platform.get(HOST))[1]["name"] for _ in range(10)} == {"b"}

    async with asyncio.timeout(DEADLINE):
        while not await only_b():
            pass
    await platform.endpoints("iris")
    await platform.programmed("iris", "NoReadyEndpoints")
    assert await platform.get(HOST) == (503, {"error": "service default/iris has no ready replica"})
    await platform.endpoints("iris", a.port)
    await platform.programmed("iris")
    assert (await platform.get(HOST))[1]["name"] == "a"


async def test_a_request_under_way_is_answered_though_its_service_is_gone(platform: Platform) -> None:
    upstream = platform.upstreams[0]
    await platform.service("iris", upstream.port)
    await platform.route("iris", [HOST], to("iris"))
    await platform.programmed("iris")
    held = asyncio.create_task(platform.get(HOST, "/held"))
    await upstream.asked.wait()
    await platform.api.delete(HTTP_ROUTE, "iris", "default")
    await platform.api.delete(SERVICE, "iris", "default")

    async def cluster_is_gone() -> bool:
        connector = aiohttp.UnixConnector(str(platform.home / "admin.sock"))
        async with aiohttp.ClientSession(connector=connector) as admin, admin.get("http://envoy/clusters") as answer:
            return "default/iris" not in await answer.text()

    async with asyncio.timeout(DEADLINE):
        while not await cluster_is_gone():
            pass
    assert (await platform.get(HOST))[0] == 404
    upstream.go_on.set()
    assert (await held)[0] == 200


async def test_a_replica_that_refuses_connections_is_passed_over(platform: Platform) -> None:
    dead = free_port()
    await platform.service("iris", dead, platform.upstreams[0].port)
    await platform.route("iris", [HOST], to("iris"))
    await platform.programmed("iris")
    assert {(await platform.get(HOST))[0] for _ in range(50)} == {200}


async def test_a_restarted_control_plane_fails_no_request(platform: Platform) -> None:
    await platform.service("iris", platform.upstreams[0].port)
    await platform.route("iris", [HOST], to("iris"))
    await platform.programmed("iris")
    written = platform.api.peek(HTTP_ROUTE, "iris")
    statuses: Counter[int] = Counter()
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            statuses[(await platform.get(HOST))[0]] += 1

    async with asyncio.TaskGroup() as clients:
        for _ in range(8):
            clients.create_task(load())
        for _ in range(2):
            await platform.stop_control_plane()
            before = statuses[200]
            await until(lambda before=before: statuses[200] > before + 200)  # type: ignore[misc]  # bound in the loop
            platform.start_control_plane()
            await platform.service("wine", platform.upstreams[1].port)
            await platform.route("wine", ["wine.localhost"], to("wine"))
            await platform.programmed("wine")
            await platform.api.delete(HTTP_ROUTE, "wine", "default")
            await asyncio.sleep(0)
        stop.set()
    assert set(statuses) == {200}
    assert platform.api.peek(HTTP_ROUTE, "iris") == written


async def test_a_new_envoy_is_configured_again_and_statuses_stay(platform: Platform) -> None:
    await platform.service("iris", platform.upstreams[0].port)
    await platform.route("iris", [HOST], to("iris"))
    await platform.programmed("iris")
    written = platform.api.peek(HTTP_ROUTE, "iris")
    await platform.kill_envoy()
    await platform.start_envoy()
    await platform.answers(HOST)
    assert platform.api.peek(HTTP_ROUTE, "iris") == written


async def test_a_pattern_that_envoy_refuses_harms_no_other_route(platform: Platform) -> None:
    await platform.service("iris", platform.upstreams[0].port)
    # RE2 limits repetition to 1000; Python's check, which is all we have, doesn't.
    many: JsonObject = {"path": {"type": "RegularExpression", "value": "/a{1,5000}"}}
    await platform.route("bad", ["bad.localhost"], to("iris", matches=[many]))
    await platform.route("iris", [HOST], to("iris"))
    await platform.programmed("iris")
    await platform.programmed("bad", "Invalid")
    assert (await platform.get(HOST))[0] == 200


async def test_ipv6_loopback_is_served_too(platform: Platform) -> None:
    await platform.service("iris", platform.upstreams[0].port)
    await platform.route("iris", [HOST], to("iris"))
    await platform.programmed("iris")
    async with platform.http.get(f"http://[::1]:{platform.port}/", headers={"Host": HOST}) as answer:
        assert answer.status == 200


# --- others than this machine ---


def token(key: rsa.RSAPrivateKey, **claims: Json) -> str:
    """A JSON Web Token, signed with RS256."""
    parts = [_base64(json.dumps(one).encode()) for one in ({"alg": "RS256", "typ": "JWT", "kid": "1"}, claims)]
    signature = key.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256())
    return ".".join([*parts, _base64(signature)])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwks(key: rsa.RSAPrivateKey) -> JsonObject:
    numbers = key.public_key().public_numbers()
    public: JsonObject = {
        name: _base64(number.to_bytes((number.bit_length() + 7) // 8, "big"))
        for name, number in (("n", numbers.n), ("e", numbers.e))
    }
    return {"keys": [{"kty": "RSA", "kid": "1", "alg": "RS256", **public}]}


@asynccontextmanager
async def opened(who: ApiKeys | Tokens) -> AsyncIterator[Callable[[dict[str, str]], Awaitable[tuple[int, JsonObject]]]]:
    """A gateway with a listener over TLS beside the one on loopback; asks a model through it with these headers."""
    ca, port = trustme.CA(), free_port()

    def outside(platform: Platform) -> Listener:
        certificate = ca.issue_cert("127.0.0.1")
        chain, key = platform.home / "cert.pem", platform.home / "key.pem"
        chain.write_bytes(b"".join(one.bytes() for one in certificate.cert_chain_pems))
        key.write_bytes(certificate.private_key_pem.bytes())
        access = Access(Certificate(str(chain), str(key)), who)
        return Listener(f"http-{port}", port, ("127.0.0.1",), routes=f"http-{platform.port}", access=access)

    async with running(outside) as platform:
        platform.upstreams.append(await Upstream("a").start())
        await platform.service("iris", platform.upstreams[0].port)
        await platform.route("iris", ["iris.example.com"], to("iris"))
        await platform.answers("iris.example.com")
        context = ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())

        async def ask(headers: dict[str, str]) -> tuple[int, JsonObject]:
            url = f"https://127.0.0.1:{port}/v1/models/iris:predict"
            named = {"Host": "iris.example.com", **headers}
            async with platform.http.post(url, headers=named, ssl=context) as answer:
                body = json.loads(await answer.read())
                return answer.status, {**body, "headers": list(platform.upstreams[0].headers)}

        yield ask


async def test_others_come_in_over_tls_with_an_api_key_which_no_model_sees() -> None:
    async with opened(ApiKeys((("me", "0123456789abcdef"), ("you", "fedcba9876543210")))) as ask:
        refused, why = await ask({})
        assert refused == 401
        assert "error" in why
        assert (await ask({"X-Api-Key": "0123456789abcdee"}))[0] == 401
        for headers in ({"X-Api-Key": "0123456789abcdef"}, {"Authorization": "Bearer fedcba9876543210"}):
            status, answer = await ask(headers)
            assert (status, answer["path"]) == (200, "/v1/models/iris:predict")
            assert not {"authorization", "x-api-key"} & set(cast(list[str], answer["headers"]))


async def test_others_come_in_with_a_token_of_the_issuer() -> None:
    key, stranger = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as keys:
        json.dump(jwks(key), keys)
        keys.flush()
        async with opened(Tokens("https://issuer", keys.name, ("models",))) as ask:
            claims: JsonObject = {"iss": "https://issuer", "aud": "models", "exp": 4102444800}
            for refused in (
                None,
                token(stranger, **claims),
                token(key, **{**claims, "iss": "https://other"}),
                token(key, **{**claims, "aud": "others"}),
                token(key, **{**claims, "exp": 1}),
            ):
                headers = {} if refused is None else {"Authorization": f"Bearer {refused}"}
                status, why = await ask(headers)
                assert status in (401, 403)
                assert "error" in why
            assert (await ask({"Authorization": f"Bearer {token(key, **claims)}"}))[0] == 200
