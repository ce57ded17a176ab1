"""`inferplane record NAME --out FILE`: what is asked of a service and what it answers, for `inferplane replay`."""

import asyncio
import os
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from inferplane.cli import completing
from inferplane.cli.commands.replay import Share
from inferplane.cli.durations import Duration
from inferplane.cli.recording import traces, ways
from inferplane.cli.recording.stream import tapped
from inferplane.cli.recording.traces import LeftOut, Subject
from inferplane.cli.session import NotRunning, Session, run
from inferplane.cli.terminal import Step
from inferplane.client.kubernetes.api import Api, NotFound
from inferplane.client.kubernetes.kinds import HTTP_ROUTE, INFERENCE_SERVICE
from inferplane.controlplane.serving.shadows import asked
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject
from inferplane.resources.gateway import HTTPRoute
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.signals.tap import CONFIG_ID

_MEGABYTE = 1 << 20
_PRIVATE = 0o600
_SECONDS = 60.0
_QUIET = 0.3
"""The gateway tells of a request within milliseconds of its end."""


@click.command()
@click.argument("name", shell_complete=completing.services)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND …]")
@click.option("--out", "file", type=click.Path(path_type=Path), required=True, help="The file of records.")
@click.option("-n", "--namespace", help="Its namespace (default: default).")
@click.option("-t", "--duration", type=Duration(), help="How long (default: 60s, or until COMMAND ends).")
@click.option("--limit", type=click.IntRange(1), help="End after so many requests.")
@click.option("--share", type=Share(), default="100%", show_default=True, help="Of the requests, evenly picked.")
@click.option(
    "--max-body", type=click.IntRange(1, 1024), default=16, show_default=True, help="MiB; larger ones are left out."
)
@click.option("--append", is_flag=True, help="To a file that is there already.")
@click.pass_obj
def record(
    session: Session,
    name: str,
    command: tuple[str, ...],
    file: Path,
    namespace: str | None,
    duration: float | None,
    limit: int | None,
    share: float,
    max_body: int,
    append: bool,
) -> None:
    """Record what is asked of a service and what it answers, for replay.

    \b
      inferplane record iris --out iris.jsonl
      inferplane record iris --out iris.jsonl --duration 5m --limit 10000 --share 10%
      inferplane record iris --out iris.jsonl -- python ask.py

    It is seen at the gateway: the service is not restarted, and need not be one of our own runtimes. Of the headers
    only the content type is kept. The file is yours alone (mode 0600): it holds what your clients sent. A COMMAND is
    started when the service is heard, and the recording ends with it.
    """
    where = session.namespace(namespace)
    subject = run(_subject(session, name, where))
    gateway = _gateway(session)
    with _opened(file, append) as out, session.terminal.step("record", f"requests to {name}") as step:
        recorder = _Recorder(out, subject, share, limit, step)
        tap = ways.asked(subject.ways, CONFIG_ID, max_body * _MEGABYTE)
        seconds = duration or (None if command else _SECONDS)
        code = 0
        # Ctrl-C: the user has enough; the file is whole.
        with suppress(KeyboardInterrupt):
            code = run(_record(session, gateway, tap, recorder, seconds, command))
        step.end(f"{recorder.written:,} requests in {file}")
    _tell(session, name, where, file, recorder)
    if code:
        raise InferplaneError(f"{command[0]} ended with exit code {code}")


def _gateway(session: Session) -> str:
    if session.foreign:
        raise InferplaneError(
            "record reads from the gateway of this machine, which a cluster's is not",
            fix="let the service's logger write records: spec.predictor.logger (docs/replay.md)",
        )
    platform = session.platform()
    if platform is None:
        raise NotRunning
    return platform.gateway


async def _subject(session: Session, name: str, namespace: str) -> Subject:
    async with session.api() as api:
        await api.get(INFERENCE_SERVICE, name, namespace)
        services = (await api.list(INFERENCE_SERVICE, namespace)).items
        own = [name, *(f"{one}-shadow" for one in shadowed(services, name))]
        by_host = [route for one in own if (route := await _route(api, one, namespace))]
        found = ways.ways(by_host, await _route(api, f"{name}-path", namespace))
    if not found:
        raise InferplaneError(f"inferenceservice/{name} has no routes yet", fix=f"see why: inferplane why {name}")
    return Subject(name, namespace, found)


def shadowed(services: Sequence[JsonObject], name: str) -> list[str]:
    """Names of those whose requests are mirrored to `name`: these come in at a host of their own."""
    views = [msgspec.convert(one, InferenceService) for one in services]
    return [one.metadata.name for one in views if (found := asked(one)) is not None and found.target == name]


async def _route(api: Api, name: str, namespace: str) -> HTTPRoute | None:
    try:
        return msgspec.convert(await api.get(HTTP_ROUTE, name, namespace), HTTPRoute)
    except NotFound:
        return None


def _opened(file: Path, append: bool) -> BinaryIO:
    how = os.O_APPEND if append else os.O_EXCL
    try:
        return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | how, _PRIVATE), "ab")
    except FileExistsError as error:
        raise InferplaneError(f"{file} is there already", fix="give another name, or --append") from error
    except OSError as error:
        raise InferplaneError(f"{file}: cannot be written: {error.strerror}") from error


async def _record(
    session: Session,
    gateway: str,
    tap: JsonObject,
    recorder: "_Recorder",
    seconds: float | None,
    command: Sequence[str],
) -> int:
    """The exit code of the command; 0 without one, and for one that the time has ended."""
    async with tapped(session.home.envoy_admin_socket, gateway, tap) as documents:
        # For whoever waits to send requests: from here on none is missed.
        session.terminal.say(f"{recorder.subject.name} is heard now; Ctrl-C ends it")
        taking = asyncio.create_task(recorder.take(documents))
        try:
            async with asyncio.timeout(seconds):
                return await _while(command, recorder, taking) if command else await taking
        except TimeoutError:
            return 0
        finally:
            taking.cancel()


async def _while(command: Sequence[str], recorder: "_Recorder", taking: asyncio.Task[int]) -> int:
    """Until the command has ended, and nothing comes any more of what it has asked; or enough is written."""
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except OSError as error:
        raise InferplaneError(f"{command[0]}: {error.strerror}") from error
    try:
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
    seen = -1
    while seen != recorder.seen and not taking.done():
        seen = recorder.seen
        await asyncio.wait((taking,), timeout=_QUIET)
    return code


@dataclass(slots=True)
class _Recorder:
    out: BinaryIO
    subject: Subject
    share: float
    limit: int | None
    step: Step
    seen: int = 0
    written: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    async def take(self, documents: AsyncIterator[bytes]) -> int:
        """Returns when as many are written as are wanted."""
        async for document in documents:
            self._take(document)
            if self.limit is not None and self.written >= self.limit:
                break
        return 0

    def _take(self, document: bytes) -> None:
        try:
            lines = traces.lines(document, self.subject, str(uuid.uuid4()))
        except LeftOut as error:
            self.left_out[error.message] += 1
            return
        if not lines:
            return
        self.seen += 1
        if int(self.seen * self.share) > int((self.seen - 1) * self.share):
            self.out.write(lines)
            self.written += 1
            if self.written % 1000 == 0:
                self.step.update(f"{self.written:,} requests")


def _tell(session: Session, name: str, namespace: str, file: Path, recorder: _Recorder) -> None:
    for reason, count in recorder.left_out.items():
        session.terminal.say(f"left out, {count:,}: {reason}")
    if not recorder.written:
        where = "" if namespace == "default" else f" -n {namespace}"
        session.terminal.say("no request came")
        session.terminal.next(f"inferplane bench {name}{where}")
        return
    session.terminal.next(f"inferplane replay {file} --to NAME")
