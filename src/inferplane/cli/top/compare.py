"""Two looks → what happened in between, a row for each component of each service. Pure."""

from dataclasses import dataclass
from math import inf

from inferplane.cli.top.samples import Histogram, Name, Sample, Served, Traffic


@dataclass(frozen=True, slots=True)
class Quantile:
    """In seconds. `at_most`: it is somewhere below, where the histogram knows no more; `over`: it is above."""

    seconds: float
    at_most: bool = False
    over: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """`rate` in requests a second, `mean` in seconds, `cpu` in cores, `memory` in bytes; None is not known."""

    name: Name
    wanted: int
    ready: int
    rate: float | None
    mean: float | None
    p50: Quantile | None
    p99: Quantile | None
    active: int | None
    cpu: float | None
    memory: float | None


def rows(before: Sample, after: Sample) -> list[Row]:
    """Sorted by namespace and name, the component that requests come to first last."""
    return [_row(name, before, after) for name in sorted(after.services)]


def _row(name: Name, before: Sample, after: Sample) -> Row:
    replicas, use = after.services[name], after.use.get(name)
    ways = _ways(name, before, after)
    rates = [_rate(past, now, after.at - before.at) for past, now in ways]
    latency = _latency(name, before, after)
    return Row(
        name,
        replicas.wanted,
        replicas.ready,
        rate=max((one for one in rates if one is not None), default=None),
        mean=latency.mean,
        p50=quantile(latency, 0.5),
        p99=quantile(latency, 0.99),
        active=max((round(now.active) for _, now in ways), default=None),
        cpu=use.cpu if use else None,
        memory=use.memory if use else None,
    )


def _ways(name: Name, before: Sample, after: Sample) -> list[tuple[Traffic, Traffic]]:
    """How much was counted by then and by now: at the gateway, and by the servers themselves.

    Neither sees all: requests reach a server past the gateway's cluster of it (by the activator), and a gateway counts
    what no server has answered. What saw more is nearer to the truth.
    """
    gateway = [(before.gateway.get(name, Traffic()), after.gateway[name])] if name in after.gateway else []
    servers = [(_served(name, before), _served(name, after))] if after.served.get(name) else []
    return gateway + servers


def _served(name: Name, sample: Sample) -> Traffic:
    return sum((one.traffic for one in sample.served.get(name, {}).values()), Traffic())


def _rate(before: Traffic, after: Traffic, seconds: float) -> float | None:
    # A replica that ended takes its count along, a gateway that was restarted begins anew.
    return max(0.0, after.total - before.total) / seconds if seconds > 0 else None


def _latency(name: Name, before: Sample, after: Sample) -> Histogram:
    past = before.served.get(name, {})
    fresh = (one.latency.since(past.get(pod, Served()).latency) for pod, one in after.served.get(name, {}).items())
    return sum(fresh, Histogram())


def quantile(histogram: Histogram, share: float) -> Quantile | None:
    """By linear interpolation within a bucket, as Prometheus does it; the first and the last bucket are only named."""
    if histogram.count <= 0:
        return None
    rank, bound_before, count_before = share * histogram.count, 0.0, 0.0
    for bound, count in sorted(histogram.counts.items()):
        if count >= rank and count > count_before:
            if bound == inf:
                return Quantile(bound_before, over=True)
            if bound_before == 0.0:
                return Quantile(bound, at_most=True)
            part = (rank - count_before) / (count - count_before)
            return Quantile(bound_before + (bound - bound_before) * part)
        bound_before, count_before = bound, count
    return None
