"""A run in words: what happened when, and what it came to; or as JSON."""

from dataclasses import asdict

import msgspec

from inferplane.cli.simulation.subject import Subject
from inferplane.cli.terminal import columns
from inferplane.cli.why.words import duration, plural
from inferplane.controlplane.autoscaling.simulate import Event, Run, Scenario, What
from inferplane.kernel.json import Json, JsonObject


def heading(subject: Subject, scenario: Scenario) -> str:
    """`iris-predictor: concurrency, 2.8 of 4 a pod · window 60 s · pods 0 to 5 · …`."""
    spec, limits = scenario.spec, scenario.limits
    most = str(limits.max_scale) if limits.max_scale else "any number"
    at_once = plural(scenario.slots, "request") if scenario.slots else "any number of requests"
    return (
        f"{subject.name}: {spec.metric}, {spec.target_value:g} of {spec.total_value:g} a pod"
        f" · window {spec.stable_window} s · {limits.min_scale} to {most} pods"
        f" · a pod starts in {_time(scenario.startup)} and takes {at_once} at a time, {_time(scenario.duration)} each"
    )


def _time(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def timeline(run: Run) -> list[str]:
    """A line for each thing that happened, with the load and the pods of that moment."""
    return columns([["TIME", "REQ/S", "IN FLIGHT", "WAITING", "READY", ""], *map(_row, run.events)])


def _row(event: Event) -> list[str]:
    figures = [f"{event.rate:g}", f"{event.in_flight:.4g}", str(event.waiting), str(event.ready)]
    return [f"{event.t:.1f} s", *figures, _words(event)]


def _words(event: Event) -> str:
    match event.what:
        case What.WAKE:
            return "a request wakes it"
        case What.SCALE if event.after == 0:
            return f"scaled to zero from {event.before}"
        case What.SCALE:
            return f"scaled {'up' if event.after > event.before else 'down'}: {event.before} → {event.after}"
        case What.READY:
            return f"{plural(event.after - event.before, 'pod')} more ready: {event.after}"
        case What.PANIC:
            return "panics: the load needs twice the ready pods"
        case What.CALM:
            return "calm again, a stable window after the surge"
        case What.INACTIVE:
            return "no traffic: the activator takes over"


def summary(run: Run) -> list[str]:
    it = run.totals
    share = f" ({it.waited / it.requests:.1%} of {it.requests})" if it.requests else ""
    rows = [
        ["most pods", str(it.most_replicas)],
        ["pod-seconds", f"{it.replica_seconds:g}"],
        ["time at zero", f"{it.seconds_at_zero:g} s of {len(run.frames)} s"],
        ["cold starts", str(it.cold_starts)],
        ["panics", str(it.panics)],
        ["requests that waited", f"{it.waited}{share}"],
        ["their wait", f"p99 of all {duration(it.wait_p99)}, longest {duration(it.wait_max)}"],
    ]
    if it.timed_out:
        rows.append(["timed out", str(it.timed_out)])
    return columns(rows)


def document(subject: Subject, scenario: Scenario, run: Run) -> JsonObject:
    """Everything, for programs: settings, `summary`, `events` and a frame for each second."""
    settings: JsonObject = {
        "spec": _named(asdict(scenario.spec)),
        "limits": _named(asdict(scenario.limits)),
        "durationSeconds": scenario.duration,
        "startupSeconds": scenario.startup,
        "slots": scenario.slots,
        "load": [[t, rate] for t, rate in scenario.load.points],
    }
    events: list[Json] = [_named(asdict(one)) | {"message": _words(one)} for one in run.events]
    frames: list[Json] = [_named(asdict(one)) for one in run.frames]
    return {
        "service": subject.name,
        "settings": settings,
        "summary": _named(asdict(run.totals)),
        "events": events,
        "frames": frames,
    }


def _named(values: object) -> JsonObject:
    """camelCase, as everything else that the command line prints."""
    found = msgspec.convert(msgspec.to_builtins(values), dict[str, object])
    plain: JsonObject = {}
    for name, value in found.items():
        first, *rest = name.split("_")
        assert value is None or isinstance(value, bool | int | float | str)
        plain[first + "".join(map(str.capitalize, rest))] = value
    return plain
