"""The list of KServe's scenarios (`scenarios`) against the tests: each has one, or a reason why it has none."""

import re
from pathlib import Path

import pytest
from tests.reconcile.scenarios import AREAS, FILES, SCENARIOS, WITHOUT

TESTS = Path(__file__).parents[1]
# How many rows each table of the reference has.
ROWS = {"K": 44, "R": 43, "M": 10, "C": 7, "T": 6, "G": 28}
_TEST = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
_RANGE = re.compile(r"([krmcwtg])(\d+)_to_\1(\d+)")
_NUMBER = re.compile(r"(?<=_)([krmcwtg]\d+)(?=_)")


def defined_in(path: Path) -> list[str]:
    return _TEST.findall(path.read_text())


def numbers(test: str) -> set[str]:
    """`test_k1_to_k3_k7_words` → K1, K2, K3, K7."""
    found = {word.upper() for word in _NUMBER.findall(test)}
    for letter, first, last in _RANGE.findall(test):
        found |= {f"{letter.upper()}{number}" for number in range(int(first), int(last) + 1)}
    return found


def test_no_row_of_the_reference_is_left_out() -> None:
    rows = {f"{letter}{number}" for letter, count in ROWS.items() for number in range(1, count + 1)}
    assert rows - SCENARIOS.keys() - WITHOUT.keys() == set()
    assert SCENARIOS.keys() & WITHOUT.keys() == set()


def test_every_numbered_scenario_has_its_test() -> None:
    places = ("reconcile/test_conformance_*.py", "reconcile/serving/test_*.py", "*/dataplane/graph/test_*.py")
    modules = [file for place in (*places, "contract/graph/test_*.py") for file in TESTS.rglob(place)]
    tested = {number for module in modules for test in defined_in(module) for number in numbers(test)}
    assert sorted(SCENARIOS.keys() - tested) == []


@pytest.mark.parametrize("area", AREAS)
def test_every_scenario_of_an_area_has_its_test(area: str) -> None:
    missing = []
    for scenario, place in AREAS[area].items():
        file, _, test = place.partition("::")
        if f"test_{test}" not in defined_in(TESTS / FILES[file]):
            missing.append(f"{scenario}: {place}")
    assert missing == []


def test_each_rule_of_validation_has_its_case() -> None:
    cases = (TESTS / "unit/resources/serving/validation/test_rules.py").read_text()
    rules = set(re.findall(r'^ +\*?\(?\(?"(\d+)",', cases, re.MULTILINE))
    elsewhere = {"1", "20"}
    assert {str(number) for number in range(1, 28)} - rules - elsewhere == set()


def test_a_scenario_without_a_test_has_a_reason() -> None:
    assert [name for name, reason in WITHOUT.items() if len(reason.split()) < 4] == []
