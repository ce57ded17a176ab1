"""Objects that the logger puts into emulated buckets: their names and their contents, read back as models are."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import orjson
import pytest
from tests.emulators.running import ACCOUNT, azure_server, gcs_server, s3_server

from inferplane.dataplane.agent.events import REQUEST, RESPONSE, Event
from inferplane.dataplane.agent.settings import Format, LoggerSettings, StoreSettings
from inferplane.dataplane.agent.sinks.choosing import sinks
from inferplane.dataplane.agent.sinks.sink import Refused, Unavailable
from inferplane.dataplane.storage import stores

BUCKET = "models"
URLS = {
    "s3": (f"s3://{BUCKET}/logs", f"s3://{BUCKET}/logs"),
    "gcs": (f"gs://{BUCKET}/logs", f"gs://{BUCKET}/logs"),
    "azure": (
        f"abfs://{BUCKET}@{ACCOUNT}.dfs.core.windows.net/logs",
        f"https://{ACCOUNT}.blob.core.windows.net/{BUCKET}/logs",
    ),
}
"""Where events go, and where the same place is read."""


def event(name: str, kind: str = REQUEST) -> Event:
    about: dict[str, str | int | float] = {"namespace": "ns", "inferenceservicename": "inference"}
    return Event({**about, "id": name, "type": kind, "component": "predictor", "time": "t"}, b'{"a":1}')


def stored(uri: str, environ: Mapping[str, str]) -> dict[str, bytes]:
    remote = stores.opened(uri, environ)
    return {entry.path: b"".join(remote.read(entry, 0, None)) for entry in remote.entries()}


async def send(url: str, environ: Mapping[str, str], store: StoreSettings, *batches: Sequence[Event]) -> None:
    [sink] = sinks(LoggerSettings((url,), store=store), environ)
    for batch in batches:
        await sink.send(batch)
    await sink.close()


@pytest.mark.parametrize("kind", ["s3", "gcs", "azure"])
async def test_a_batch_is_an_object_with_kserves_name(kind: str) -> None:
    with ExitStack() as stack:
        if kind == "s3":
            s3 = stack.enter_context(s3_server())
            s3.bucket(BUCKET)
            environ = s3.environ
        elif kind == "gcs":
            environ = stack.enter_context(gcs_server()).environ
        else:
            azure = stack.enter_context(azure_server())
            azure.container(BUCKET)
            environ = azure.environ
        to, read = URLS[kind]
        batches = ([event("0123")], [event("4", RESPONSE), event("5", RESPONSE)])
        # The emulator of GCS takes an object of JSON for something else.
        lines = Format.JSONL if kind == "gcs" else Format.JSON
        await send(to, environ, StoreSettings("logger", lines), *batches)
        await send(to, environ, StoreSettings("logger", Format.CSV), [event("6")])
        found = stored(read, environ)
        with pytest.raises(Refused if kind != "gcs" else (Refused, Unavailable)):
            await send(to.replace(BUCKET, "absent"), environ, StoreSettings("logger"), [event("7")])
    base = "ns/inference/predictor/logger"
    assert sorted(found) == [f"{base}/0123-request.{lines}", f"{base}/4-response.{lines}", f"{base}/6-request.csv"]
    assert orjson.loads(found[f"{base}/0123-request.{lines}"])["id"] == "0123"
    both = found[f"{base}/4-response.{lines}"]
    records = [orjson.loads(line) for line in both.splitlines()] if lines is Format.JSONL else orjson.loads(both)
    assert [record["id"] for record in records] == ["4", "5"]
    assert found[f"{base}/6-request.csv"].splitlines()[1].split(b",")[4] == b"6"


async def test_a_store_that_cannot_be_reached_is_tried_again() -> None:
    environ = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with pytest.raises(Unavailable, match="127"):
        await send("s3://b", {**environ, "S3_MAX_ATTEMPTS": "1"}, StoreSettings("p"), [event("1")])
