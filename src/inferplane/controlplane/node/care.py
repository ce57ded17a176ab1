"""One container in the node's care: starting its runs, watching them, ending them. The shell around `Seen`.

`Care.seen` is what `decide` and `status` look at. Each method changes it and calls `changed`, which brings the pod's
key back to the controller; none of them waits.
"""

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import aiohttp
import msgspec

from inferplane.client.kubernetes.api import ApiError, ServerUnreachable
from inferplane.controlplane.node import hooks, keepers, logs, runs
from inferplane.controlplane.node.decide import NODE_SHUTDOWN, Start, grace_period
from inferplane.controlplane.node.directories import PodDirectory
from inferplane.controlplane.node.environment import ConfigError
from inferplane.controlplane.node.environments.choose import InvalidRequirements
from inferplane.controlplane.node.environments.shared import EnvironmentFailed
from inferplane.controlplane.node.events import PodEvents
from inferplane.controlplane.node.images import ImageNotRunnable, install_hint
from inferplane.controlplane.node.keepers import KeeperFailed, Keepers
from inferplane.controlplane.node.launcher import LIBRARY_VERSION, Launcher, Setting
from inferplane.controlplane.node.memory_limits import Limited, memory_limit
from inferplane.controlplane.node.observed import ABSENT, Health, Problem, Seen
from inferplane.controlplane.node.probes import Kind, Prober, Target
from inferplane.controlplane.node.status import OOM_KILLED, Place
from inferplane.controlplane.node.volumes import MountError
from inferplane.kernel.clock import Clock
from inferplane.kernel.errors import InferplaneError
from inferplane.resources.core import Container, ContainerStatus, Lifecycle, LifecycleHandler, Pod

log = logging.getLogger(__name__)

# kubelet: at most 80 lines or 2 KiB of the log, 4 KiB of the termination log.
_MESSAGE_LINES, _MESSAGE_FROM_LOG, _MESSAGE_FROM_FILE = 80, 2048, 4096
NOT_BUILT = "EnvironmentNotBuilt"
_TRY_AGAIN = 5.0
_TRY_API_AGAIN = 1.0
# Each attempt is a new interpreter that imports what there is.
_TRY_IMPORT_AGAIN = 15.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What the care of containers needs; one for the whole node."""

    keepers: Keepers
    launcher: Launcher
    events: PodEvents
    session: aiohttp.ClientSession
    clock: Clock

    def now(self) -> float:
        return self.clock.now().timestamp()


@dataclass(slots=True)
class Care:
    """`stopping` asks whether the node itself is ending."""

    tools: Tools
    pod: Pod
    container: Container
    directory: PodDirectory
    place: Place
    changed: Callable[[], None]
    stopping: Callable[[], bool]
    seen: Seen = ABSENT
    _setting: Setting | None = None
    _announced: asyncio.Event = field(default_factory=asyncio.Event)
    _launching: asyncio.Task[None] | None = None
    _probing: asyncio.Task[None] | None = None
    _stopping: asyncio.Task[None] | None = None
    """The preStop hook, and SIGTERM after it."""
    _too_much: tuple[int, str] | None = None
    """The attempt that was killed because of its memory, and what to say about it."""

    @property
    def setting(self) -> Setting | None:
        """How the container was made ready; None before, and until a former node's has been looked at."""
        return self._setting

    # --- starting -----------------------------------------------------------------------------------------------------

    def adopt(self, status: ContainerStatus | None) -> None:
        """Takes up what a former node left. `status` is what it last said, so that readiness doesn't flap."""
        history = runs.history(self.directory.container(self.container.name))
        if not history:
            return
        run, previous = history[-1], history[-2] if len(history) > 1 else None
        health = Health()
        if status is not None and status.restart_count == run.attempt:
            health = Health(startup=status.started or None, readiness=status.ready or None)
        self.seen = Seen(run=run, previous=previous, health=health)
        if run.exit is None:
            self.run_changed()

    def start(self, action: Start) -> None:
        # Whoever reads why it does not start should not see it blink with every new try.
        lasting = self.seen.problem if self.seen.problem and self.seen.problem.reason == NOT_BUILT else None
        self.seen = replace(self.seen, launching=True, progress="", problem=lasting)
        name = f"launch {self.pod.metadata.namespace}/{self.pod.metadata.name}/{self.container.name}"
        self._launching = asyncio.create_task(self._launch(action), name=name)

    def retry(self) -> None:
        """What stood in the way may have gone: the next decision tries again."""
        if self.seen.problem is not None:
            self.seen = replace(self.seen, problem=replace(self.seen.problem, retry_at=0.0))

    async def _launch(self, action: Start) -> None:
        try:
            await self._request(action)
        except ImageNotRunnable as error:
            self._refuse("ImageNotRunnable", str(error), "Failed")
        except KeeperFailed as error:
            missing = error.message.startswith("ModuleNotFoundError")
            how = self.tools.launcher.recipe(self.container)
            hint = install_hint(how, error.message) if missing else error.message
            self._refuse("RuntimeNotInstalled" if missing else "RuntimeBroken", hint, "Failed", _TRY_IMPORT_AGAIN)
        except EnvironmentFailed as error:
            self._refuse(NOT_BUILT, _with_ways_out(error), "Failed", error.retry_after)
        except InvalidRequirements as error:
            self._refuse(NOT_BUILT, str(error), "Failed")
        except MountError as error:
            self._refuse("FailedMount", str(error), "FailedMount")
        except ConfigError as error:
            self._refuse("CreateContainerConfigError", str(error), "Failed")
        except (ServerUnreachable, ApiError) as error:
            self._refuse("CreateContainerConfigError", str(error), "Failed", _TRY_API_AGAIN)
        except OSError as error:
            self._refuse("CreateContainerError", str(error), "Failed")
        except Exception as error:
            # Whatever it was, the container must not stay "launching" for ever.
            log.exception("launch broke pod=%s container=%s", self.pod.metadata.name, self.container.name)
            self._refuse("CreateContainerError", f"{type(error).__name__}: {error}", "Failed")

    async def _request(self, action: Start) -> None:
        tools, attempt = self.tools, action.attempt
        setting = await tools.launcher.prepare(self.pod, self.container, self.directory, self.place, attempt)
        setting = await tools.launcher.house(self.pod, setting, self._note_progress)
        await tools.keepers.ready(setting.recipe.keeper)
        where = self.directory.container(self.container.name)
        runs.forget(where, attempt - 2)
        self._setting, self._announced = setting, asyncio.Event()
        launch = tools.launcher.launch(self.pod, self.container, self.directory, setting, attempt)
        tools.keepers.start(msgspec.structs.replace(launch, failures=action.failures), setting.recipe.keeper.name)
        self._say("Pulled", f'Container image "{self.container.image}" needs no pulling: it runs as a process')
        self._say("Created", f"Created container: {self.container.name}")

    def _note_progress(self, words: str) -> None:
        if not self.seen.progress:
            self._say("Pulling", words)
        self.seen = replace(self.seen, progress=words)
        self.changed()

    def _refuse(self, reason: str, message: str, event: str, again: float = _TRY_AGAIN) -> None:
        problem = Problem(reason, message, self.tools.now() + again)
        self.seen = replace(self.seen, launching=False, progress="", problem=problem)
        self.tools.events.warning(self.pod, event, message, self.container.name)
        self.changed()

    # --- watching -----------------------------------------------------------------------------------------------------

    def run_changed(self) -> None:
        """Something happened to the latest run: its record tells what."""
        where = self.directory.container(self.container.name)
        attempts = runs.attempts(where)
        run = runs.read(where, attempts[-1]) if attempts else None
        known = self.seen.run
        if run is None or (self.seen.launching and known is not None and run.attempt == known.attempt):
            # Asked for, but its keeper ended before it began.
            self.seen = replace(self.seen, launching=False)
        else:
            self._learn(run)
        self.changed()

    def _learn(self, run: runs.Run) -> None:
        where, known = self.directory.container(self.container.name), self.seen.run
        if run.exit is None and not self.tools.keepers.adopt_run(self._id(run), run):
            run = runs.read(where, run.attempt) or run  # its keeper may have written the end just before it ended
            run = run if run.exit is not None else keepers.lost_exit(where, run)
        new = known is None or known.attempt != run.attempt
        if new:
            self.seen = Seen(run=run, previous=known, hooked=self._hooks.post_start is not None)
            self._say("Started", f"Started container {self.container.name}")
        if run.exit is not None:
            return self._ended(run, run.exit)
        self.seen = replace(self.seen, run=run, launching=False)
        if run.ready_at:
            self._announced.set()
        if self._probing is None:
            self._probing = asyncio.create_task(self._attend(run, new=new), name=f"probes {self._id(run)}")
        return None

    def _ended(self, run: runs.Run, end: runs.Exit) -> None:
        self._attend_no_more()
        if self._stopping is not None:
            self._stopping.cancel()
            self._stopping = None
        shut_down = self.stopping() and self.seen.terminated_at > 0
        reason, message = NODE_SHUTDOWN if shut_down else end.reason, end.message
        if self._too_much is not None and self._too_much[0] == run.attempt:
            reason, message = OOM_KILLED, self._too_much[1]
        elif end.signal == signal.SIGKILL and self.tools.launcher.confinement.out_of_memory(self.pod, self.container):
            reason, message = OOM_KILLED, _reached(memory_limit(self.container))
            self.tools.events.warning(self.pod, "OOMKilling", f"Container {self.container.name} {message}", "")
        end = msgspec.structs.replace(
            end, reason=reason, message=message or self._message(run.attempt, failed=end.code != 0)
        )
        if end != run.exit:
            run = msgspec.structs.replace(run, exit=end)
            runs.write(self.directory.container(self.container.name), run)
        self.seen = replace(self.seen, run=run, launching=False, hooked=False, health=Health())

    def note_said(self) -> None:
        """A running container's termination log, as a word on how far it has come (the storage initializer's)."""
        if self.seen.running and self.seen.run is not None:
            said = self._message(self.seen.run.attempt, failed=False)
            if said != self.seen.progress:
                self.seen = replace(self.seen, progress=said)
                self.changed()

    def _message(self, attempt: int, *, failed: bool) -> str:
        """The termination log, else (after a failure) the last lines of the log."""
        path = self.directory.termination_log(self.container.name, attempt)
        message = path.read_bytes()[:_MESSAGE_FROM_FILE].decode(errors="replace") if path.is_file() else ""
        if message or not failed:
            return message
        where = runs.log_path(self.directory.container(self.container.name), attempt)
        return logs.last_lines(where, _MESSAGE_LINES, _MESSAGE_FROM_LOG)

    async def _attend(self, run: runs.Run, *, new: bool) -> None:
        """A new run's postStart hook, then probes for as long as it runs."""
        target = await self._target(run)
        if new and (hook := self._hooks.post_start) is not None:
            why = await hooks.failure(hook, target, self.tools.session, self.tools.clock)
            health = self.seen.health
            if why:
                self._warn("FailedPostStartHook", f"PostStartHook failed: {why}")
                health = replace(health, unhealthy="FailedPostStartHook")
            self.seen = replace(self.seen, hooked=False, health=health)
            self.changed()
        await self._probe(run, target)

    async def _target(self, run: runs.Run) -> Target:
        """Where the run is found; prepared again for one that a former node started."""
        tools = self.tools
        while self._setting is None:
            try:
                self._setting = await tools.launcher.prepare(
                    self.pod, self.container, self.directory, self.place, run.attempt
                )
            except (InferplaneError, OSError) as error:
                log.warning("no probes yet pod=%s container=%s error=%s", self.pod.metadata.name, run.attempt, error)
                await tools.clock.sleep(_TRY_API_AGAIN)
        return tools.launcher.target(self.container, self._setting, self.place)

    async def _probe(self, run: runs.Run, target: Target) -> None:
        tools = self.tools
        await Prober(
            container=self.container,
            target=target,
            announces=run.announces,
            announced=self._announced,
            session=tools.session,
            clock=tools.clock,
            on_verdict=self._verdict,
            on_failure=lambda _, text: tools.events.warning(self.pod, "Unhealthy", text, self.container.name),
        ).run()

    def _verdict(self, kind: Kind, passed: bool) -> None:
        health = self.seen.health
        match kind:
            case Kind.READINESS:
                health = replace(health, readiness=passed)
            case Kind.STARTUP:
                health = replace(health, startup=passed)
            case Kind.LIVENESS:
                pass
        if not passed and kind is not Kind.READINESS:
            gave_up = f"Container {self.container.name} failed {kind.lower()} probe, will be restarted"
            health = replace(health, unhealthy=gave_up)
        self.seen = replace(self.seen, health=health)
        self.changed()

    # --- ending -------------------------------------------------------------------------------------------------------

    def terminate(self, reason: str) -> None:
        self.seen = replace(self.seen, terminated_at=self.tools.now())
        self._attend_no_more()
        self._say("Killing", reason)
        grace = grace_period(self.pod, self.container)
        if self._hooks.pre_stop is not None and self.seen.run is not None and grace > 0:
            stop = self._stop(self._hooks.pre_stop, self.seen.run, grace)
            self._stopping = asyncio.create_task(stop, name=f"preStop {self._id(self.seen.run)}")
        else:
            self._signal(signal.SIGTERM)
        self.changed()  # the end of the grace period is to be watched from now on

    async def _stop(self, hook: LifecycleHandler, run: runs.Run, grace: float) -> None:
        target, tools = await self._target(run), self.tools
        if why := await hooks.failure_within(hook, target, tools.session, tools.clock, grace):
            self._warn("FailedPreStopHook", f"PreStopHook failed: {why}")
        # A hook that took all of the time leaves the process some to end in.
        begun = max(self.seen.terminated_at, tools.now() + hooks.LEAST_GRACE - grace)
        self.seen = replace(self.seen, terminated_at=begun)
        self._signal(signal.SIGTERM)
        self.changed()

    def _attend_no_more(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            self._probing = None

    def kill(self) -> None:
        self.seen = replace(self.seen, killed=True, terminated_at=self.seen.terminated_at or self.tools.now())
        self._signal(signal.SIGKILL)

    def limited(self) -> Limited | None:
        """The running container and its memory limit; None when there is nothing to watch."""
        run, limit = self.seen.run, memory_limit(self.container)
        if limit is None or run is None or run.exit is not None or run.process is None or self.seen.killed:
            return None
        return Limited(run.process, limit, lambda used: self._out_of_memory(run, limit, used))

    def _out_of_memory(self, run: runs.Run, limit: int, used: int) -> None:
        current = self.seen.run
        if current is None or current.attempt != run.attempt or current.exit is not None:
            return  # it ended while it was looked at
        words = f"used {_mebibytes(used)} of memory, more than its limit of {_mebibytes(limit)}"
        self._too_much = (run.attempt, words)
        self.tools.events.warning(self.pod, "OOMKilling", f"Container {self.container.name} {words}", "")
        self.kill()

    def give_up_launch(self) -> None:
        """The container is no longer wanted: a start that has not reached its keeper yet is dropped."""
        if self._launching is not None and not self._launching.done():
            self._launching.cancel()
            self.seen = replace(self.seen, launching=False)

    def close(self) -> None:
        """Ends the tasks; processes are left alone."""
        for task in (self._launching, self._probing, self._stopping):
            if task is not None:
                task.cancel()

    def _signal(self, number: int) -> None:
        if (run := self.seen.run) is not None:
            self.tools.keepers.signal(self._id(run), number)

    def _id(self, run: runs.Run) -> str:
        return f"{self.pod.metadata.uid}/{self.container.name}/{run.attempt}"

    @property
    def _hooks(self) -> Lifecycle:
        return self.container.lifecycle or Lifecycle()

    def _warn(self, reason: str, message: str) -> None:
        self.tools.events.warning(self.pod, reason, message, self.container.name)

    def _say(self, reason: str, message: str) -> None:
        self.tools.events.normal(self.pod, reason, message, self.container.name)


def _reached(limit: int | None) -> str:
    what = f"its memory limit of {_mebibytes(limit)}" if limit is not None else "a limit of the machine's memory"
    return f"reached {what}, and was killed by the kernel"


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.0f}Mi"


def _with_ways_out(error: EnvironmentFailed) -> str:
    """The message of a container whose environment could not be built: what is missing, and what to do."""
    ways = [error.fix] if error.fix else []
    if error.wanted.recorded:
        ways.append(f"or serve it with the version that is there: annotation {LIBRARY_VERSION}: installed")
    return f"{error.message}: {', '.join(ways)}" if ways else error.message
