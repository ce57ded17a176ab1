"""The budgets that concern the server, and what a run says of each."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench import cases
from bench.cases import GATEWAY, Case, Load
from bench.launches import OURS
from bench.results import Results


@dataclass(frozen=True)
class Verdict:
    """`met` is None when a peer that it compares with is not there: nothing can be said."""

    budget: str
    expected: str
    got: str
    met: bool | None


@dataclass(frozen=True)
class Ratio:
    """Our requests per second over the peer's."""

    case: Case
    load: Load
    peer: str
    least: float
    ours: str = OURS

    @property
    def budget(self) -> str:
        way = "" if self.ours == OURS else ", through the gateway"
        return f"{self.case.name}, {self.load} conn.{way}: over {self.peer}"


_MANY, _ONE = Load(64), Load(1)
FULL = (
    Ratio(cases.V1_JSON, _MANY, "kserve", 20),
    Ratio(cases.V1_JSON, _MANY, "mosec", 12),
    Ratio(cases.V2_JSON, _MANY, "kserve", 25),
    Ratio(cases.V2_JSON, _MANY, "mlserver", 20),
    Ratio(cases.V2_JSON, _MANY, "triton", 10),
    Ratio(cases.GRPC, cases.GRPC_LOAD, "kserve", 8, GATEWAY),
    Ratio(cases.PICTURE_JSON, _ONE, "kserve", 10),
    Ratio(cases.PICTURE_JSON, _ONE, "mlserver", 2.5),
    Ratio(cases.PICTURE_BINARY, _ONE, "triton", 1.5),
    Ratio(cases.PICTURE_GRPC, _ONE, "triton", 1.2),
)
QUICK = (Ratio(cases.V1_JSON, Load(16), "kserve", 4), Ratio(cases.V2_JSON, Load(16), "kserve", 4))

OVER_PREDICT_MS = 0.07
HOP_MS = 0.3
START_SECONDS = 1.2
START_OVER_LIBRARY = 1.5
MEMORY_MIB = 90
PACKAGE_MS = 50

NOT_MEASURED = "not measured"
"""The report says why."""


def verdicts(results: Results, ratios: tuple[Ratio, ...]) -> list[Verdict]:
    found = [_ratio(results, ratio) for ratio in ratios]
    return [*found, *_own_time(results), _hop(results), *_start(results)] if results.alone else found


def _ratio(results: Results, ratio: Ratio) -> Verdict:
    expected = f"≥ {ratio.least:g} ×"
    ours = results.figures(ratio.case, ratio.load, ratio.ours)
    theirs = results.figures(ratio.case, ratio.load, ratio.peer)
    if ours is None:
        return Verdict(ratio.budget, expected, NOT_MEASURED, False)
    if theirs is None:
        return Verdict(ratio.budget, expected, NOT_MEASURED, None)
    got = ours.over(theirs)
    return Verdict(ratio.budget, expected, f"{got:.1f} ×", got >= ratio.least)


def _own_time(results: Results) -> Iterator[Verdict]:
    """What a request takes beyond the model's own call, with nobody else asking."""
    if results.alone is None:
        return
    for case in (cases.V1_JSON, cases.V2_JSON):
        budget, expected = f"{case.name}, 1 conn.: p50 over the bare predict", f"≤ {OVER_PREDICT_MS:g} ms"
        ours = results.figures(case, _ONE, OURS)
        if ours is None:
            yield Verdict(budget, expected, NOT_MEASURED, False)
            continue
        over = ours.p50 - results.alone.predict
        yield Verdict(budget, expected, f"{over:.3f} ms", over <= OVER_PREDICT_MS)


def _hop(results: Results) -> Verdict:
    budget, expected = f"{cases.V1_JSON.name}, 1 conn.: p50 added by the gateway", f"≤ {HOP_MS:g} ms"
    direct, through = (results.figures(cases.V1_JSON, _ONE, name) for name in (OURS, GATEWAY))
    if direct is None or through is None:
        return Verdict(budget, expected, NOT_MEASURED, False)
    added = through.p50 - direct.p50
    return Verdict(budget, expected, f"{added:.3f} ms", added <= HOP_MS)


def _start(results: Results) -> Iterator[Verdict]:
    start, alone = results.starts.get(OURS), results.alone
    if start is None or alone is None:
        yield Verdict("start", f"≤ {START_SECONDS:g} s", NOT_MEASURED, False)
        return
    times = start.seconds / alone.library
    yield Verdict("start", f"≤ {START_SECONDS:g} s", f"{start.seconds:.2f} s", start.seconds <= START_SECONDS)
    yield Verdict(
        "start over the library's import", f"≤ {START_OVER_LIBRARY:g} ×", f"{times:.2f} ×", times <= START_OVER_LIBRARY
    )
    yield Verdict(
        "private memory, alone", f"≤ {MEMORY_MIB:g} MiB", f"{start.memory:.0f} MiB", start.memory <= MEMORY_MIB
    )
    yield Verdict("import inferplane", f"≤ {PACKAGE_MS:g} ms", f"{alone.package:.0f} ms", alone.package <= PACKAGE_MS)
