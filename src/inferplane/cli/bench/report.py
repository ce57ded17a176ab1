"""A summary as text or JSON. Pure."""

from inferplane.cli.bench.tally import Summary
from inferplane.kernel.json import JsonObject

BAR = 40
_PARTS = " ▏▎▍▌▋▊▉█"


def text(summary: Summary, request: str, received: int) -> str:
    """Several lines, without a last line break. `request` says what was sent where."""
    volume = f"{summary.requests:,} in {summary.seconds:.1f} s, {received / summary.seconds / 1e6:,.1f} MB/s received"
    lines = [
        request,
        "",
        f"  {summary.rate:,.0f} requests a second  ({volume})",
        "",
        f"  latency  mean {duration(summary.mean)}   "
        + "   ".join(f"p{percent:g} {duration(value)}" for percent, value in summary.percentiles.items())
        + f"   max {duration(summary.slowest)}",
        "",
        *histogram(summary.buckets),
        "",
        "  status   " + ", ".join(f"{status}: {count:,}" for status, count in summary.statuses.items()),
        *(f"  failed   {count:,}: {reason}" for reason, count in summary.failures.items()),
        *(f"  note     {warning}" for warning in summary.warnings),
    ]
    return "\n".join(lines)


def histogram(buckets: list[tuple[float, int]]) -> list[str]:
    """One line a bucket: its upper bound, a bar, the share of all."""
    total = sum(count for _, count in buckets)
    most = max((count for _, count in buckets), default=0)
    return [f"  ≤ {duration(bound):>8}  {bar(count / most)}  {count / total:6.1%}" for bound, count in buckets if most]


def bar(share: float) -> str:
    """`share` of the largest, from 0 to 1, as wide as BAR."""
    eighths = round(share * BAR * 8)
    return f"{'█' * (eighths // 8) + (_PARTS[eighths % 8] if eighths % 8 else ''):<{BAR}}"


def duration(seconds: float) -> str:
    if seconds < 0.001:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s"


def document(summary: Summary, url: str, protocol: str, received: int) -> JsonObject:
    """Times in milliseconds."""
    return {
        "url": url,
        "protocol": protocol,
        "requests": summary.requests,
        "good": summary.good,
        "seconds": round(summary.seconds, 3),
        "requestsPerSecond": round(summary.rate, 1),
        "bytesReceived": received,
        "latencyMs": {
            "mean": round(summary.mean * 1e3, 4),
            **{f"p{percent:g}": round(value * 1e3, 4) for percent, value in summary.percentiles.items()},
            "max": round(summary.slowest * 1e3, 4),
        },
        "histogram": [{"upToMs": bound * 1e3, "count": count} for bound, count in summary.buckets],
        "statuses": dict(summary.statuses),
        "failures": dict(summary.failures),
        "generatorCpu": round(summary.cpu, 3),
        "late": summary.late,
        "warnings": list(summary.warnings),
    }
