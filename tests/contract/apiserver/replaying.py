"""Carries out the steps of one recorded scenario against a live server, in a namespace of its own."""

import asyncio
import contextlib
import json
import os
import random
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import aiohttp
from tests.contract.apiserver.comparing import Bindings, Comparison, Difference
from yarl import URL

from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

AGENT = "vectors/1.0"  # the default field manager is its first word
INITIAL_END = "k8s.io/initial-events-end"
NAMESPACES = "/api/v1/namespaces"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True, slots=True)
class Target:
    """A server: where it is, what it is trusted by, and the token that it takes."""

    url: str
    tls: ssl.SSLContext
    token: str
    kubeconfig: Path


@dataclass
class Watch:
    """An open watch with the events that have come."""

    response: aiohttp.ClientResponse
    events: list[Json] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    reader: asyncio.Task[None] | None = None

    async def read(self) -> None:
        with contextlib.suppress(aiohttp.ClientError):
            async for line in self.response.content:
                event = json.loads(line)
                annotations = object_at(event, "object", "metadata", "annotations")
                if event["type"] != "BOOKMARK" or INITIAL_END in annotations:
                    self.events.append(event)
                    self.news.set()
        self.news.set()

    async def close(self) -> None:
        if self.reader is not None:
            self.reader.cancel()
            await asyncio.gather(self.reader, return_exceptions=True)
        self.response.close()


@dataclass
class Output:
    """A kubectl that runs on, with the lines that it has printed."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    reader: asyncio.Task[None] | None = None

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode())
            self.news.set()
        self.news.set()

    async def close(self) -> None:
        if self.process.returncode is None:
            self.process.terminate()
        if self.reader is not None:
            await self.reader
        await self.process.wait()


class Replay:
    """`async with Replay(target, home) as replay: failures = await replay.run(scenario)`"""

    def __init__(self, target: Target, home: Path) -> None:
        self._target = target
        self._home = home
        self._namespace = "v-" + "".join(random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))
        self._bindings = Bindings({"ns": self._namespace})
        self._streams: dict[str, Watch | Output] = {}
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=target.tls, limit=0))

    async def __aenter__(self) -> "Replay":
        name: JsonObject = {"name": self._namespace}
        await self._send({"method": "POST", "path": NAMESPACES, "body": {"metadata": name}})
        account: JsonObject = {"metadata": {"name": "default"}}
        path = f"{NAMESPACES}/{self._namespace}/serviceaccounts"
        await self._send({"method": "POST", "path": path, "body": account})
        return self

    async def __aexit__(self, *_: object) -> None:
        for stream in self._streams.values():
            await stream.close()
        for place in (DEFINITIONS, NAMESPACES):
            listed = object_at(await self._send({"method": "GET", "path": place}), "body")
            for item in list_at(listed, "items"):
                name = text_at(item, "metadata", "name") if isinstance(item, dict) else ""
                if self._namespace in name:
                    await self._send({"method": "DELETE", "path": f"{place}/{name}"})
        await self._session.close()

    async def run(self, scenario: JsonObject) -> dict[int, list[Difference]]:
        """The differences of each step that does not hold, by its number from 1."""
        ignore = tuple(str(pattern) for pattern in list_at(scenario, "ignore"))
        failures = {}
        for number, step in enumerate(list_at(scenario, "steps"), 1):
            assert isinstance(step, dict)
            found = await self._check(step, ignore)
            if found:
                failures[number] = found
        return failures

    async def _check(self, step: JsonObject, ignore: tuple[str, ...]) -> list[Difference]:
        """One step; where it says `within`, it is repeated until it holds."""
        loop = asyncio.get_running_loop()
        patience = step.get("within", 0)
        assert isinstance(patience, int)
        deadline = loop.time() + min(patience, 15)
        patterns = ignore + tuple(str(pattern) for pattern in list_at(step, "ignore"))
        while True:
            trial = Comparison(self._bindings.copy(), patterns, step.get("subset") is True)
            wanted, got = object_at(step, "expect"), await self._perform(step)
            trial.compare(_lined(wanted), _lined({name: part for name, part in got.items() if name in wanted}))
            if not trial.found or loop.time() >= deadline:
                self._bindings = trial.bindings
                return trial.found
            await asyncio.sleep(0.05)

    async def _perform(self, step: JsonObject) -> JsonObject:
        act = self._bindings.fill({key: value for key, value in step.items() if key != "expect"})
        assert isinstance(act, dict)
        if "watch" in act:
            return await self._watch(text_at(act, "watch"), object_at(act, "request"))
        if "request" in act:
            return await self._send(object_at(act, "request"))
        if "background" in act:
            return await self._background(act)
        if "kubectl" in act:
            return await self._kubectl(act)
        if "pause" in act:
            await asyncio.sleep(float(str(act["pause"])))
            return {}
        return await self._collect(text_at(act, "collect"), object_at(step, "expect"), to_end=act.get("toEnd") is True)

    async def _open(self, request: JsonObject) -> aiohttp.ClientResponse:
        headers = {"user-agent": AGENT, "accept": "application/json"}
        if not request.get("stranger"):
            headers["authorization"] = f"Bearer {self._target.token}"
        raw = request.get("raw")
        body = raw.encode() if isinstance(raw, str) else None
        if "body" in request:
            body, headers["content-type"] = json.dumps(request["body"]).encode(), "application/json"
        headers |= {name: str(value) for name, value in object_at(request, "headers").items()}
        query = urlencode({key: str(value) for key, value in object_at(request, "query").items()})
        path = quote(text_at(request, "path"), safe="/:%")
        url = URL(f"{self._target.url}{path}{'?' + query if query else ''}", encoded=True)
        skipped = () if "content-type" in headers else ("content-type",)
        return await self._session.request(
            text_at(request, "method"), url, data=body, headers=headers, skip_auto_headers=skipped
        )

    async def _send(self, request: JsonObject) -> JsonObject:
        async with await self._open(request) as response:
            return _answer(response, await response.read())

    async def _watch(self, name: str, request: JsonObject) -> JsonObject:
        response = await self._open(request)
        if response.status != 200:
            return _answer(response, await response.read())
        watch = self._streams[name] = Watch(response)
        watch.reader = asyncio.create_task(watch.read())
        return _answer(response, b"")

    async def _collect(self, name: str, wanted: JsonObject, *, to_end: bool) -> JsonObject:
        """What a stream has brought once it has as much as is wanted (or has ended), and a moment later."""
        stream = self._streams[name]
        count = len(list_at(wanted, "events")) or len(text_at(wanted, "stdout").splitlines())
        got: list[Json] | list[str] = stream.events if isinstance(stream, Watch) else stream.lines
        assert stream.reader is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                while not stream.reader.done() and (to_end or len(got) < count):
                    stream.news.clear()
                    await stream.news.wait()
        if not to_end:
            await asyncio.sleep(0.2)  # more would be wrong
        ended = stream.reader.done()
        await stream.close()
        if isinstance(stream, Watch):
            return {"events": list(stream.events), "ended": ended}
        return {"stdout": tidy("".join(stream.lines))}

    async def _start(self, act: JsonObject) -> asyncio.subprocess.Process:
        for name, content in object_at(act, "files").items():
            (self._home / name).write_text(str(content))
        own = {"HOME": str(self._home), "KUBECACHEDIR": str(self._home / "cache"), "TZ": "UTC"}
        given = {name: str(value) for name, value in object_at(act, "env").items()}
        return await asyncio.create_subprocess_exec(
            "kubectl",
            "-n",
            self._namespace,
            *(str(word) for word in list_at(act, "kubectl")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | own | {"KUBECONFIG": str(self._target.kubeconfig)} | given,
            cwd=self._home,
        )

    async def _background(self, act: JsonObject) -> JsonObject:
        output = self._streams[text_at(act, "background")] = Output(await self._start(act))
        output.reader = asyncio.create_task(output.read())
        return {}

    async def _kubectl(self, act: JsonObject) -> JsonObject:
        given = act.get("stdin")
        text = given if isinstance(given, str) else json.dumps(given) if given is not None else ""
        process = await self._start(act)
        out, err = await process.communicate(text.encode())
        # kubectl's own log lines are no part of its answer.
        shown = re.sub(r"(?m)^[WEI]\d{4} .*\n", "", err.decode())
        got: JsonObject = {"exit": process.returncode, "stderr": tidy(shown)}
        argv = list_at(act, "kubectl")
        if process.returncode == 0 and ("json" in argv or "-ojson" in argv or "--raw" in argv):
            with contextlib.suppress(ValueError):
                return got | {"json": json.loads(out)}
        return got | {"stdout": tidy(out.decode())}


def tidy(text: str) -> str:
    """Columns are padded to the widest cell, ages too: that two cells are apart is all that counts."""
    return "\n".join(re.sub(r"(?<=\S) {2,}", "  ", line).rstrip() for line in text.splitlines())


def _lined(answer: JsonObject) -> JsonObject:
    """Outputs as lists of lines, so that a difference names its line."""
    lines: JsonObject = {
        name: list(text_at(answer, name).splitlines()) for name in ("stdout", "stderr") if name in answer
    }
    return answer | lines


def _answer(response: aiohttp.ClientResponse, content: bytes) -> JsonObject:
    headers: JsonObject = {}
    if content or response.status == 200:
        headers["content-type"] = response.headers.get("content-type", "")
    warnings: list[Json] = list(response.headers.getall("warning", []))
    if warnings:
        headers["warning"] = warnings
    answer: JsonObject = {"status": response.status, "headers": headers}
    if content:
        try:
            answer["body"] = json.loads(content)
        except ValueError:
            answer["text"] = content.decode(errors="replace")
    return answer
