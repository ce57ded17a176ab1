from bench import budgets, cases
from bench.alone import Alone, cumulative, median
from bench.budgets import Ratio, Verdict
from bench.cases import GATEWAY, Case, Load
from bench.figures import Figures, Start
from bench.launches import OURS
from bench.results import Cell, Results

MANY = Load(64)
RATIO = Ratio(cases.V1_JSON, MANY, "kserve", 20)


def figures(rate: float, p50: float = 1.0) -> Figures:
    return Figures((rate,), p50, 2.0, 0.1)


def results(*found: tuple[Case, Load, str, Figures]) -> Results:
    cells = {Cell(case.name, load, server): seen for case, load, server, seen in found}
    return Results(cases.FULL, rounds=3, cells=cells)


def verdict_on(ours: float, theirs: float) -> Verdict:
    run = results((cases.V1_JSON, MANY, OURS, figures(ours)), (cases.V1_JSON, MANY, "kserve", figures(theirs)))
    (verdict,) = budgets.verdicts(run, (RATIO,))
    return verdict


def test_a_ratio_is_met_from_its_bound_on() -> None:
    assert verdict_on(2000, 100) == Verdict("V1 JSON, iris, 64 conn.: over kserve", "≥ 20 ×", "20.0 ×", True)
    assert verdict_on(1999, 100).met is False


def test_a_peer_that_is_not_there_leaves_the_budget_open() -> None:
    (verdict,) = budgets.verdicts(results((cases.V1_JSON, MANY, OURS, figures(9))), (RATIO,))
    assert (verdict.got, verdict.met) == ("not measured", None)


def test_a_case_that_our_server_does_not_answer_is_not_met() -> None:
    (verdict,) = budgets.verdicts(results((cases.V1_JSON, MANY, "kserve", figures(9))), (RATIO,))
    assert (verdict.got, verdict.met) == ("not measured", False)


def own(run: Results) -> dict[str, tuple[str, bool | None]]:
    return {verdict.budget: (verdict.got, verdict.met) for verdict in budgets.verdicts(run, ())}


def test_our_own_budgets_are_judged_from_one_run() -> None:
    one = Load(1)
    run = results(
        (cases.V1_JSON, one, OURS, figures(5000, p50=0.16)),
        (cases.V2_JSON, one, OURS, figures(5000, p50=0.18)),
        (cases.V1_JSON, one, GATEWAY, figures(2000, p50=0.47)),
    )
    run.alone = Alone(package=12, library=0.8, predict=0.1)
    run.starts[OURS] = Start(seconds=1.3, memory=89)
    assert own(run) == {
        "V1 JSON, iris, 1 conn.: p50 over the bare predict": ("0.060 ms", True),
        "V2 JSON, iris, 1 conn.: p50 over the bare predict": ("0.080 ms", False),
        "V1 JSON, iris, 1 conn.: p50 added by the gateway": ("0.310 ms", False),
        "start": ("1.30 s", False),
        "start over the library's import": ("1.62 ×", False),
        "private memory, alone": ("89 MiB", True),
        "import inferplane": ("12 ms", True),
    }


def test_our_own_budgets_are_not_met_when_nothing_was_measured() -> None:
    run = results()
    run.alone = Alone(package=12, library=0.8, predict=0.1)
    assert {met for _, met in own(run).values()} == {False}


def test_a_quick_run_judges_ratios_alone() -> None:
    assert own(results()) == {}


def test_import_time_is_that_of_the_package_with_all_it_imports() -> None:
    printed = (
        "import time:       200 |        900 |   inferplane.kernel\nimport time:       120 |       1500 | inferplane\n"
    )
    assert cumulative(printed, "inferplane") == 1.5


def test_alone_is_a_median_by_column() -> None:
    assert median([Alone(1, 5, 9), Alone(2, 4, 8), Alone(3, 6, 7)]) == Alone(2, 5, 8)
