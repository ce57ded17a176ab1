"""A trace: the rules of one autoscaler and what happened to it, step by step, as a JSON file.

The format is that of the recorded decisions in tests/traces/autoscaling; docs/autoscaling.md has it in words. Times are
seconds after `epochUnixSeconds`. Steps are arrays that begin with their kind; what a trace recorded of a decision may
be left out (`["tick", 4]`).
"""

import math
from typing import ClassVar

import msgspec

from inferplane.kernel.errors import InferplaneError
from inferplane.resources.autoscaling_knative import config
from inferplane.resources.autoscaling_knative.annotations import PREFIX, problems
from inferplane.resources.autoscaling_knative.podautoscaler import Reachability
from inferplane.resources.autoscaling_knative.resolution import DeciderSpec, decider_spec

NOT_FOUND = -1
"""As a count of ready pods: there is no such thing to count, which means 0. Anything below: it could not be counted."""


class TraceError(InferplaneError):
    """A file that is no trace. The message begins with the file's name and says where in it."""


class Config(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a user can set: ConfigMap, annotations without their prefix, the container's limit, a route or none."""

    config_map: dict[str, str] = {}
    annotations: dict[str, str] = {}
    container_concurrency: int = 0
    reachability: str = "Reachable"

    def resolved(self) -> DeciderSpec:
        """Raises ValueError for a reachability that is none, BadConfig for a ConfigMap with a bad value."""
        return decider_spec(
            self._annotations(),
            config.read(self.config_map),
            container_concurrency=self.container_concurrency,
            reachability=Reachability("" if self.reachability == "Unknown" else self.reachability),
        )

    def problems(self) -> list[str]:
        """What the platform would refuse."""
        try:
            self.resolved()
        except (ValueError, config.BadConfig) as error:
            return [str(error)]
        return problems(self._annotations(), config.read(self.config_map))

    def _annotations(self) -> dict[str, str]:
        return {PREFIX + key: text for key, text in self.annotations.items()}


class Resolved(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the recorder made of the configuration."""

    metric: str
    aggregation: str
    target_value: float
    total_value: float
    target_burst_capacity: float
    activator_capacity: float
    panic_threshold: float
    stable_window_seconds: int
    panic_window_seconds: int
    scale_down_delay_seconds: int
    max_scale_up_rate: float
    max_scale_down_rate: float
    activation_scale: int
    initial_scale: int
    min_scale: int
    max_scale: int
    reachable: bool
    has_scrape_target: bool

    def as_spec(self) -> DeciderSpec:
        fields = {name.removesuffix("_seconds"): getattr(self, name) for name in self.__struct_fields__}
        return DeciderSpec(**fields)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    config: Config = Config()
    resolved: Resolved | None = None

    def spec(self) -> DeciderSpec:
        """What was resolved when the trace was recorded, where it says so."""
        return self.resolved.as_spec() if self.resolved else self.config.resolved()


class Construct(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The autoscaler's beginning: when, and beside how many ready pods."""

    t: int | float = 0
    ready: int = 0


class Ready(msgspec.Struct, frozen=True, array_like=True, tag="ready"):
    """From now on so many pods are ready."""

    t: int | float
    count: int


class Stat(msgspec.Struct, frozen=True, array_like=True, tag="stat"):
    """A load figure; what went through the activator is part of it, and is taken off."""

    t: int | float
    concurrency: float
    proxied_concurrency: float = 0.0
    requests: float = 0.0
    proxied_requests: float = 0.0


class Update(msgspec.Struct, frozen=True, array_like=True, tag="update"):
    """New rules."""

    t: int | float
    rules: Rules


class _Decision(msgspec.Struct, frozen=True, array_like=True):
    poke: ClassVar[bool] = False

    t: int | float
    ready: int | None = None
    stable: float | None = None
    panic: float | None = None
    valid: int | None = None
    """None: the trace recorded no decision here."""
    desired: int = 0
    ebc: int = 0
    panic_mode: int = 0
    max_panic_pods: int = 0


class Tick(_Decision, frozen=True, array_like=True, tag="tick"):
    """A regular decision."""


class Poke(_Decision, frozen=True, array_like=True, tag="poke"):
    """A decision at once, for a request to a revision at zero."""

    poke: ClassVar[bool] = True


class Trace(Rules, frozen=True, kw_only=True, rename="camel"):
    steps: list[Ready | Stat | Update | Tick | Poke]
    construct: Construct = Construct()
    epoch_unix_seconds: int = 946_684_800


def read(content: bytes, file: str) -> Trace:
    """Raises TraceError."""
    try:
        trace = msgspec.json.decode(content, type=Trace)
    except msgspec.DecodeError as error:
        raise TraceError(f"{file}: {error}", fix="docs/autoscaling.md has the format") from error
    _check_rules(trace, file)
    _check_order(trace, file)
    return trace


def _check_rules(trace: Trace, file: str) -> None:
    """A configuration whose resolution was recorded is taken as it is: the recorder had its own way to it."""
    updates = [(f"steps[{n}]", one.rules) for n, one in enumerate(trace.steps) if isinstance(one, Update)]
    for where, rules in (("config", trace), *updates):
        if rules.resolved is None and (found := rules.config.problems()):
            raise TraceError(f"{file}: {where}: {'; '.join(found)}")


def _check_order(trace: Trace, file: str) -> None:
    """Load figures may be about any time; what is decided and changed is in order."""
    now = -math.inf
    for n, step in enumerate(trace.steps):
        if not isinstance(step, Tick | Poke | Update):
            continue
        if step.t < now:
            raise TraceError(f"{file}: steps[{n}]: expected a time of {now:g} or later, got {step.t:g}")
        now = step.t
