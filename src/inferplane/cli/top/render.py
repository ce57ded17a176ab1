"""Rows as the terminal's table and as JSON. Pure."""

from collections.abc import Sequence

from inferplane.cli.terminal import columns
from inferplane.cli.top.compare import Quantile, Row
from inferplane.kernel.json import Json, JsonObject

_HEAD = ("NAME", "COMPONENT", "REPLICAS", "REQ/S", "MEAN", "P50", "P99", "IN FLIGHT", "CPU", "MEMORY")
_UNKNOWN = "-"
_MEBIBYTE = 1 << 20


def table(rows: Sequence[Row], *, namespaces: bool) -> list[str]:
    """Lines, the head first. CPU in thousandths of a core and memory in MiB, as `kubectl top` has them."""
    head = (("NAMESPACE", *_HEAD) if namespaces else _HEAD,)
    return columns([*head, *(_cells(one, namespaces=namespaces) for one in rows)])


def _cells(row: Row, *, namespaces: bool) -> list[str]:
    shown = [
        row.name.service,
        row.name.component,
        f"{row.ready}/{row.wanted}",
        _number(row.rate),
        _UNKNOWN if row.mean is None else _seconds(row.mean),
        _time(row.p50),
        _time(row.p99),
        _UNKNOWN if row.active is None else str(row.active),
        _UNKNOWN if row.cpu is None else f"{row.cpu * 1000:.0f}m",
        _UNKNOWN if row.memory is None else f"{row.memory / _MEBIBYTE:.0f}Mi",
    ]
    return [row.name.namespace, *shown] if namespaces else shown


def _number(value: float | None) -> str:
    if value is None:
        return _UNKNOWN
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _time(value: Quantile | None) -> str:
    """`12 ms`, `<5 ms`, `>10 s`."""
    if value is None:
        return _UNKNOWN
    mark = "<" if value.at_most else ">" if value.over else ""
    return mark + _seconds(value.seconds)


def _seconds(value: float) -> str:
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def document(rows: Sequence[Row]) -> JsonObject:
    """For programs; what is not known is null."""
    listed: list[Json] = [
        {
            "namespace": row.name.namespace,
            "name": row.name.service,
            "component": row.name.component,
            "replicas": {"ready": row.ready, "wanted": row.wanted},
            "requestsPerSecond": row.rate,
            "latencyMs": {
                "mean": None if row.mean is None else row.mean * 1000,
                **_quantile("p50", row.p50),
                **_quantile("p99", row.p99),
            },
            "inFlight": row.active,
            "cpu": row.cpu,
            "memory": row.memory,
        }
        for row in rows
    ]
    return {"components": listed}


def _quantile(name: str, value: Quantile | None) -> JsonObject:
    """`p50`, and `p50Bound` beside it where it is only known to be `atMost` or `over` that."""
    if value is None:
        return {name: None}
    bound = "atMost" if value.at_most else "over" if value.over else ""
    return {name: value.seconds * 1000, **({f"{name}Bound": bound} if bound else {})}
