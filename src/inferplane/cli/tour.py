"""The guided tour behind `make run`: platform, model, service, one request of each protocol, and what to try next.

Everything that the tour started is stopped when it ends, however it ends; a platform that ran before is left running.
"""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from inferplane.assembly.home import Home, home_from
from inferplane.assembly.platform import Options, down
from inferplane.assembly.record import Platform
from inferplane.cli.commands.apply import TIMEOUT_SECONDS, Applied, Plan, apply_one, put
from inferplane.cli.commands.platform import answers_at, bring_up
from inferplane.cli.interrupts import deferred
from inferplane.cli.manifests import Manifest, read_manifests
from inferplane.cli.prediction import Answer, Target, http, is_ready, path_of, read_body, refusal, send, target
from inferplane.cli.session import Session, run
from inferplane.cli.why.render import render
from inferplane.cli.why.words import duration
from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, text_at

EXAMPLE = Path("examples/01-sklearn-iris")
NAMESPACE = "default"
ANSWER_WIDTH = 76


@dataclass(frozen=True, slots=True)
class Ports:
    gateway: int
    api: int


@dataclass(frozen=True, slots=True)
class Example:
    """A directory with `train.py`, `isvc.yaml` (whose last object is the service) and the two requests."""

    directory: Path

    def file(self, name: str) -> Path:
        return self.directory / name

    def manifests(self) -> list[Manifest]:
        return read_manifests(str(self.file("isvc.yaml")))

    @property
    def service(self) -> str:
        return self.manifests()[-1].name

    def model(self, home: Home) -> Path:
        """Where the claim of `storageUri: pvc://CLAIM/PATH` is on this machine."""
        uri = text_at(self.manifests()[-1].body, "spec", "predictor", "model", "storageUri")
        if not uri.startswith("pvc://"):
            where = self.manifests()[-1].where("spec.predictor.model.storageUri")
            raise InferplaneError(f"{where}: storageUri: expected pvc://CLAIM/PATH, got {uri or 'nothing'}")
        return home.volumes / NAMESPACE / uri.removeprefix("pvc://")


def find_example(given: Path | None, here: Path) -> Example:
    """The directory given, else the first example of this directory or of one above it."""
    if given is not None:
        if not (given / "isvc.yaml").is_file():
            raise InferplaneError(f"{given}: holds no isvc.yaml, so this is no example")
        return Example(given)
    for parent in (here, *here.parents):
        if (parent / EXAMPLE / "isvc.yaml").is_file():
            return Example(EXAMPLE if parent == here else parent / EXAMPLE)
    raise InferplaneError(
        f"there is no {EXAMPLE} here", fix="run it in a clone of the repository, or give --example DIR"
    )


def tour(session: Session, example: Example, ports: Ports, *, once: bool) -> bool:
    """False when the service did not become ready (why has been told). Raises InferplaneError for anything else."""
    with training(session, example) as model, platform_for(session, ports) as platform:
        model.wait(session)
        applied = run(_deploy(session, example))
        trouble = applied.trouble
        if trouble is not None:
            session.terminal.say("\n".join(render(trouble)))
            return False
        url = run(_ask(session, example, platform))
        session.terminal.say("\n".join(try_next(session.home, example, url)))
        if not once:
            session.terminal.say("Ctrl-C stops everything.")
            _until_interrupted()
    return True


class Training:
    """The example's `train.py` in a process of its own, while the platform starts. None: there is a model already."""

    def __init__(self, example: Example, ended: "Future[Trained] | None") -> None:
        self._example = example
        self._ended = ended

    def wait(self, session: Session) -> None:
        """One line of progress. Raises InferplaneError with the script's last words when it failed."""
        directory = self._example.directory
        with session.terminal.step("model", f"training {directory}") as step:
            if self._ended is None:
                step.end(f"{directory} was trained before")
                return
            trained = self._ended.result()
            step.started = session.terminal.monotonic() - trained.seconds
            if trained.code:
                raise InferplaneError(f"{self._example.file('train.py')}: {trained.said}")
            step.end(f"{directory}: {trained.said.partition(':')[0]}")


@dataclass(frozen=True, slots=True)
class Trained:
    """How `train.py` ended: exit code, last line, and how long it took."""

    code: int
    said: str
    seconds: float


@contextmanager
def training(session: Session, example: Example) -> Iterator[Training]:
    model = example.model(session.home)
    if model.is_dir() and any(model.iterdir()):
        yield Training(example, None)
        return
    started = session.terminal.monotonic()
    command = [sys.executable, str(example.file("train.py")), "--out", str(model)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ended() -> Trained:
        said, _ = process.communicate()
        return Trained(process.returncode, said.strip().rpartition("\n")[2], session.terminal.monotonic() - started)

    with ThreadPoolExecutor(1) as waiter:
        try:
            yield Training(example, waiter.submit(ended))
        finally:
            process.terminate()


@contextmanager
def platform_for(session: Session, ports: Ports) -> Iterator[Platform]:
    """The running platform, or one of our own for as long as the block lasts."""
    found = session.platform()
    if found is not None:
        with session.terminal.step("platform", f"{answers_at(found)} (was running)"):
            pass
        yield found
        return
    with ExitStack() as ours:
        # A platform that is half started could not be found and stopped: Ctrl-C has to wait for it.
        ours.callback(_stop, session)
        with deferred():
            platform = bring_up(session, Options(session.home, ports.gateway, ports.api))
        yield platform


def _stop(session: Session) -> None:
    with deferred(), session.terminal.step("platform", "stopping") as step:
        down(session.home, on_progress=step.update)
        step.end("stopped; nothing is left running")


async def _deploy(session: Session, example: Example) -> Applied:
    async with session.api() as api:
        plan = Plan(NAMESPACE, TIMEOUT_SECONDS)
        *others, service = example.manifests()
        for one in others:
            await put(api, one, plan)
        return await apply_one(session, api, service, plan)


async def _ask(session: Session, example: Example, platform: Platform) -> str:
    """Sends both requests and shows them. Returns the URL of the V1 request."""
    async with session.api() as api:
        service = await api.get(INFERENCE_SERVICE, example.service, NAMESPACE)
    url = text_at(service, "status", "url")
    targets = {one: target(url, path_of(one, example.service), platform.gateway) for one in ("v1", "v2")}
    async with http() as client:
        # Opens the connection, so that the times shown are those of a prediction.
        await is_ready(client, target(url, f"/v1/models/{example.service}", platform.gateway))
        for protocol, to in targets.items():
            body, _ = read_body(f"@{example.file(f'request-{protocol}.json')}")
            answer = await send(client, to, body)
            if answer.status >= 400:
                raise InferplaneError(f"{to.url}: {refusal(answer)}", fix=f"see  inferplane why {example.service}")
            session.terminal.say("\n".join(exchange(protocol, to, body, answer)))
    return targets["v1"].url


def exchange(protocol: str, to: Target, body: bytes, answer: Answer) -> list[str]:
    """A request and its answer as the tour shows them; the V2 request is long and is not repeated."""
    text = f"    → {_short(answer.body):<{ANSWER_WIDTH}} {duration(answer.seconds)}"
    if protocol == "v1":
        return ["", f"V1  POST {to.url}", f"    {body.decode().strip()}", text]
    return [f"V2  POST …{urlsplit(to.url).path}", text]


def _short(body: bytes) -> str:
    """A V2 answer without what nobody looks at: the request's id, parameters, versions."""
    text = body.decode(errors="replace").strip()
    found: Json = msgspec.json.decode(body)
    if not isinstance(found, dict) or "outputs" not in found:
        return text
    outputs = msgspec.json.encode(found["outputs"]).decode()
    return f'{{"model_name":"{text_at(found, "model_name")}", … "outputs":{outputs}}}'


def try_next(home: Home, example: Example, url: str) -> list[str]:
    """Commands for another terminal, as this one would have to type them."""
    program = "inferplane" if shutil.which("inferplane") else sys.argv[0]
    elsewhere = [f"export INFERPLANE_HOME={home.root}"] if home != home_from({}) else []
    request = example.file("request-v1.json")
    commands = [
        *elsewhere,
        f"curl {url} -d @{request}",
        f"export KUBECONFIG=$({program} kubeconfig); kubectl get isvc",
        f"{program} predict {example.service} -d @{example.file('request-v2.json')}",
        f"{program} logs {example.service} -f",
        f"{program} why {example.service}",
    ]
    return ["", "Try next, in another terminal:", *(f"  {command}" for command in commands)]


def _until_interrupted() -> None:
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return
