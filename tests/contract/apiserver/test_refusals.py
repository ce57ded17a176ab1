"""Bad input over the wire: each refusal is the Status that Kubernetes sends."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.contract.apiserver.test_server import MAPS, PODS, Client, named, pod, running

from inferplane.controlplane.apiserver.store.log import Log
from inferplane.kernel.json import Json, JsonObject, object_at, text_at

JSON, MERGE = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
TOKEN = "/api/v1/namespaces/default/serviceaccounts/model/token"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with running(tmp_path) as found:
        await found.call("POST", MAPS, named("a", data={"k": "v"}))
        await found.call("POST", MAPS, named("fixed", data={"k": "v"}, immutable=True))
        yield found


@dataclass(frozen=True)
class Refused:
    """A request and what its Status holds; `words` are in the message."""

    name: str
    method: str
    path: str
    code: int
    reason: str
    words: str
    body: Json = None
    media: str = "application/json"
    cause: JsonObject = field(default_factory=dict)


def configmap(name: str, **fields: Json) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}


def annotated(size: int) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n", "annotations": {"a": "x" * size}}}


KEY_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
UNPARSED = "unable to parse requirement: "
SELECTORS = [
    ("a===b", f"{UNPARSED}found '=', expected: identifier"),
    ("a in (", f"{UNPARSED}found '', expected: ',', ')' or identifier"),
    ("a in b", f"{UNPARSED}found 'b' expected: '('"),
    ("a in ()", f"{UNPARSED}values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"),
    ("a in (b c)", f"{UNPARSED}found 'c', expected: ',' or ')'"),
    ("a b", f"{UNPARSED}found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    ("a,", "found '', expected: identifier after ','"),
    (",a", "found ',', expected: !, identifier, or 'end of string'"),
    ("!", f"{UNPARSED}found '', expected: identifier"),
    ("-x=1", f'{UNPARSED}<nil>: Invalid value: "-x": {KEY_RULE}'),
    ("a=-b", f'{UNPARSED}values[0][a]: Invalid value: "-b": a valid label must be'),
    ("a>b", f"{UNPARSED}values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer"),
]

REFUSALS = [
    Refused("a stale version", "PUT", f"{MAPS}/a", 409, "Conflict", MODIFIED,
            {"metadata": {"name": "a", "resourceVersion": "1"}}),
    Refused("a version that is none", "PUT", f"{MAPS}/a", 500, "", 'parsing "x": invalid syntax',
            {"metadata": {"name": "a", "resourceVersion": "x"}}),
    Refused("a version for what is new", "POST", MAPS, 500, "", "resourceVersion should not be set on objects",
            {"metadata": {"name": "n", "resourceVersion": "1"}}),
    Refused("an immutable field", "PATCH", f"{MAPS}/fixed", 422, "Invalid", "field is immutable",
            {"data": {"k": "w"}}, MERGE,
            {"reason": "FieldValueForbidden", "field": "data",
             "message": "Forbidden: field is immutable when `immutable` is set"}),
    Refused("an immutable name", "PATCH", f"{MAPS}/a", 400, "BadRequest", "does not match the name on the URL",
            {"metadata": {"name": "b"}}, MERGE),
    Refused("a patch of what isn't there", "PATCH", f"{MAPS}/a", 422, "Invalid",
            "the server rejected our request due to an error in our request",
            [{"op": "replace", "path": "/data/none", "value": "x"}], JSON),
    Refused("a test that fails", "PATCH", f"{MAPS}/a", 422, "Invalid",
            "the server rejected our request due to an error in our request",
            [{"op": "test", "path": "/data/k", "value": "x"}], JSON),
    Refused("too many operations", "PATCH", f"{MAPS}/a", 413, "", "10000",
            [{"op": "test", "path": "/data/k", "value": "v"}] * 10_001, JSON),
    Refused("an unknown directive", "PATCH", f"{MAPS}/a", 500, "", "zap", {"$patch": "zap"}, STRATEGIC),
    Refused("a patch of no kind", "PATCH", f"{MAPS}/a", 415, "UnsupportedMediaType", "accepted media types", {}),
    Refused("more data than its kind may have", "POST", MAPS, 422, "Invalid", "may not be more than 1048576 bytes",
            configmap("n", data={"x": "x" * 1_100_000})),
    Refused("more annotations than there may be", "POST", MAPS, 422, "Invalid", "may not be more than 262144 bytes",
            annotated(262_145), cause={"reason": "FieldValueTooLong", "field": "metadata.annotations",
                                       "message": "Too long: may not be more than 262144 bytes"}),
    Refused("more than the store takes", "POST", PODS, 500, "", "etcdserver: request is too large",
            {"metadata": {"name": "n"}, "spec": {"containers": [
                {"name": "c", "image": "i:1", "args": ["x" * 1_600_000]}]}}),
    Refused("more than a request may have", "POST", MAPS, 413, "RequestEntityTooLarge", "limit is 3145728",
            configmap("n", data={"x": "x" * 3_200_000})),
    Refused("an unknown kind", "GET", "/api/v1/namespaces/default/models", 404, "NotFound",
            "the server could not find the requested resource"),
    Refused("the kind of another path", "POST", MAPS, 400, "BadRequest", "Pod",
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "n"}}),
    Refused("a token to continue with that is none", "GET", f"{MAPS}?limit=1&continue=none", 400, "BadRequest",
            "continue key is not valid"),
    Refused("a field that can't be selected by", "GET", f"{MAPS}?fieldSelector=data.k%3Dv", 400, "BadRequest",
            '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"'),
    Refused("a namespace that isn't there", "POST", "/api/v1/namespaces/none/configmaps", 404, "NotFound",
            'namespaces "none" not found', configmap("n")),
    Refused("another object by uid", "DELETE", f"{MAPS}/a", 409, "Conflict", "the UID in the precondition (u)",
            {"preconditions": {"uid": "u"}}),
    Refused("a token for nobody", "POST", TOKEN, 404, "NotFound", 'serviceaccounts "model" not found', {}),
    *(Refused(f"the selector {text}", "GET", f"{MAPS}?labelSelector={text}", 400, "BadRequest", words)
      for text, words in SELECTORS),
]  # fmt: skip


@pytest.mark.parametrize("refused", REFUSALS, ids=lambda one: one.name)
async def test_it_is_refused_as_kubernetes_refuses_it(client: Client, refused: Refused) -> None:
    answer = await client.call(refused.method, refused.path, refused.body, refused.media)
    assert (answer["kind"], answer["apiVersion"], answer["status"]) == ("Status", "v1", "Failure")
    assert (answer["code"], text_at(answer, "reason")) == (refused.code, refused.reason)
    assert refused.words in text_at(answer, "message")
    if refused.cause:
        assert refused.cause in list(object_at(answer, "details")["causes"] or [])  # type: ignore[arg-type]
    kept = await client.call("GET", f"{MAPS}/a")
    assert kept["data"] == {"k": "v"}


async def test_an_object_as_large_as_the_store_takes_is_kept(client: Client) -> None:
    containers: Json = [{"name": "c", "image": "i:1", "args": ["x" * 1_500_000]}]
    assert (await client.call("POST", PODS, named("large", spec={"containers": containers})))["kind"] == "Pod"


async def test_a_disk_without_room_is_said_with_what_to_do_and_reads_go_on(client: Client) -> None:
    log: Log = client.app.core.storage.store._writer
    pages = log._db.execute("PRAGMA page_count").fetchone()[0]
    log._db.execute(f"PRAGMA max_page_count = {pages}")
    refused = await client.call("POST", MAPS, configmap("n", data={"x": "x" * 100_000}))
    assert (refused["code"], refused["reason"]) == (500, "InternalError")
    assert "database or disk is full; make room on the disk" in text_at(refused, "message")
    assert (await client.call("GET", f"{MAPS}/a"))["data"] == {"k": "v"}
    log._db.execute("PRAGMA max_page_count = 1000000")
    assert (await client.call("POST", MAPS, configmap("n")))["kind"] == "ConfigMap"


@pytest.mark.parametrize("what", ["exec?command=ls", "attach", "portforward"])
async def test_streams_without_a_websocket_are_refused_with_what_speaks_it(client: Client, what: str) -> None:
    await client.call("POST", PODS, named("web", spec={
        "nodeName": "here", "containers": [{"name": "c", "image": "i:1"}]}))  # fmt: skip
    answer = await client.call("POST", f"{PODS}/web/{what}")
    assert (answer["code"], answer["reason"]) == (501, "NotImplemented")
    assert "kubectl 1.31 or newer" in text_at(answer, "message")


@pytest.mark.parametrize(("what", "code", "words"), [
    ("other/exec?command=ls", 404, 'pods "other" not found'),
    ("web/exec?command=ls&container=x", 400, "container x is not valid for pod web"),
])  # fmt: skip
async def test_streams_that_lead_nowhere_are_refused(client: Client, what: str, code: int, words: str) -> None:
    await pod(client, "web")
    answer = await client.call("POST", f"{PODS}/{what}")
    assert (answer["code"], answer["message"]) == (code, words)


async def test_a_service_accounts_token_names_it_and_ends_with_its_pod(client: Client) -> None:
    await client.call("POST", TOKEN.rpartition("/")[0].rpartition("/")[0], named("model"))
    await client.call("POST", PODS, named("web", spec={
        "serviceAccountName": "model", "containers": [{"name": "c", "image": "i:1"}]}))  # fmt: skip
    request: JsonObject = {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "web"}}}
    made = await client.call("POST", TOKEN, request)
    assert (made["kind"], object_at(made, "spec")["expirationSeconds"]) == ("TokenRequest", 3600)
    token = text_at(made, "status", "token")

    user, place = "system:serviceaccount:default:model", 'in the namespace "default"'
    forbidden = f'pods is forbidden: User "{user}" cannot list resource "pods" in API group "" {place}'
    assert await asked(client, token, "/api/v1/namespaces/default/pods") == (403, forbidden)
    assert (await asked(client, token, "/apis"))[0] == 200
    review = "/apis/authentication.k8s.io/v1/tokenreviews"
    known = await client.call("POST", review, {"spec": {"token": token}})
    assert text_at(known, "status", "user", "username") == "system:serviceaccount:default:model"

    await client.call("DELETE", f"{PODS}/web?gracePeriodSeconds=0")
    assert (await asked(client, token, "/apis"))[0] == 401
    assert text_at(await client.call("POST", review, {"spec": {"token": token}}), "status", "error")


async def asked(client: Client, token: str, path: str) -> tuple[int, str]:
    async with client.session.get(path, headers={"authorization": f"Bearer {token}"}) as response:
        return response.status, text_at(json.loads(await response.read()), "message")


@pytest.mark.parametrize("seconds", [599, 2**32 + 1])
async def test_a_token_lasts_neither_too_short_nor_too_long(client: Client, seconds: int) -> None:
    await client.call("POST", TOKEN.rpartition("/")[0].rpartition("/")[0], named("model"))
    refused = await client.call("POST", TOKEN, {"spec": {"expirationSeconds": seconds}})
    assert refused["code"] == 422
    assert "may not specify a duration" in text_at(refused, "message")
