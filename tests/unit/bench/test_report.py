from dataclasses import replace

from bench import cases, report
from bench.alone import Alone
from bench.budgets import Verdict
from bench.cases import Load
from bench.figures import Figures, Start
from bench.launches import OURS
from bench.results import Cell, Results, Setting

SETTING = Setting("1 May 2026", {"machine": "2 × CPU"}, {"kserve": "0.21.0"}, "make bench", note="others were busy")
CASE = replace(cases.V1_JSON, loads=(Load(64),), servers=(OURS, "kserve", "mosec"))


def run() -> Results:
    found = Results([CASE], rounds=3, pressure=[0.5, 1.25], alone=Alone(3, 0.8, 0.1))
    found.cells[Cell(CASE.name, Load(64), OURS)] = Figures((28940.4,), 2.123, 4.5, 0.0345)
    found.cells[Cell(CASE.name, Load(64), "kserve")] = Figures((1447.02,), 44, 80, 0.69)
    found.starts[OURS] = Start(1.104, 88.6)
    found.missing["mosec"] = "no wheel for this machine"
    return found


def text() -> str:
    return report.document(run(), [Verdict("a", "≥ 20 ×", "20.0 ×", True), Verdict("b", "x", "y", False)], SETTING)


def test_a_table_is_lined_up_and_markdown() -> None:
    assert report.table([["name", "n"], ["a", "1,000"]], right=[1]) == [
        "| name |     n |",
        "| ---- | ----: |",
        "| a    | 1,000 |",
    ]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def rows() -> list[list[str]]:
    return [cells(line) for line in text().splitlines() if line.startswith("|")]


def test_each_server_has_a_line_and_the_ratio_to_ours() -> None:
    assert ["V1 JSON, iris", "64", "inferplane", "28,940", "2.12", "4.50", "0.035", ""] in rows()
    assert ["V1 JSON, iris", "64", "kserve", "1,447", "44.00", "80.00", "0.690", "20.0 ×"] in rows()


def test_a_server_without_figures_keeps_its_line_and_the_reason_is_told() -> None:
    assert ["V1 JSON, iris", "64", "mosec", "–", "–", "–", "–", ""] in rows()
    assert "- mosec: no wheel for this machine" in text()


def test_a_first_answer_that_failed_is_told_beside_the_figures() -> None:
    found = run()
    found.stumbled[CASE.name, OURS] = "gRPC UNAVAILABLE"
    assert "- inferplane, V1 JSON, iris: gRPC UNAVAILABLE" in report.document(found, [], SETTING)
    assert "second ones right" not in text()


def test_start_and_memory_have_their_line() -> None:
    assert ["inferplane", "1.10", "89", "–"] in rows()


def test_verdicts_are_told_in_words() -> None:
    assert ["a", "≥ 20 ×", "20.0 ×", "met"] in rows()
    assert ["b", "x", "y", "**not met**"] in rows()


def test_the_report_says_when_where_how_and_with_what() -> None:
    for line in (
        "Written by `make bench`, 1 May 2026. Medians of 3 rounds, in each of which every",
        "- machine: 2 × CPU",
        "- load average before each round: 0.5, 1.2",
        "- others were busy",
        "- kserve 0.21.0",
    ):
        assert line in text().splitlines()


def test_a_section_is_replaced_where_it_is_and_the_others_stay() -> None:
    before = "# A\n\nold\n\n## more\n\n# B\n\nother\n"
    assert report.section(before, "# A", "# A\n\nnew\n") == "# A\n\nnew\n\n# B\n\nother\n"
    assert report.section(before, "# C", "# C\n") == before + "\n# C\n"
    assert report.section("", "# A", "# A\n") == "# A\n"
