"""Exchanges in, figures and reports out."""

import json
from html.parser import HTMLParser

import pytest

from inferplane.cli.replay.compare import Tolerance, Verdict, compared
from inferplane.cli.replay.page import page
from inferplane.cli.replay.records import Answer, Exchange
from inferplane.cli.replay.report import Heading, document, text
from inferplane.cli.replay.summary import WORST, Ledger, Summary

PATH = "/v1/models/iris:predict"
HEADING = Heading("iris.jsonl", "default/iris", "http://iris-v2", Tolerance(), "16 at a time", ("a <note>",))


def exchange(line: int, predictions: str, seconds: float = 0.001) -> Exchange:
    answer = Answer(200, f'{{"predictions": [{predictions}]}}'.encode(), seconds=seconds)
    return Exchange(str(line), line, "POST", PATH, b'{"instances": [["<b>"]]}', answer=answer)


def summed(*pairs: tuple[str, str]) -> Summary:
    ledger = Ledger()
    for number, (before, after) in enumerate(pairs, 1):
        one = exchange(number, before)
        answer = Answer(200, f'{{"predictions": [{after}]}}'.encode(), seconds=0.002)
        assert one.answer is not None
        ledger.answered(one, answer, compared(one.answer, answer, Tolerance()))
    return ledger.summary(seconds=2.0)


def test_verdicts_outputs_and_classes_add_up() -> None:
    found = summed(("1", "1"), ("1", "2"), ("1", "2"), ("2", "1"))
    assert (found.exchanges, found.different, found.share, found.rate) == (4, 3, 0.75, 2.0)
    [output] = found.outputs
    assert (output.values, output.beyond, output.changed_rows) == (4, 3, 3)
    assert output.classes == [(("1", "2"), 2), (("2", "1"), 1)]


def test_the_worst_are_kept_in_the_order_of_badness_and_then_of_the_file() -> None:
    pairs = [("0.5", "0.6"), ("0.5", "0.9"), *[("0.5", "0.7")] * (WORST + 5)]
    assert [one.line for one in summed(*pairs).examples] == [2, *range(3, 2 + WORST)]


def test_a_request_without_an_answer_counts_as_different() -> None:
    ledger = Ledger()
    ledger.failed(exchange(1, "1"), "no answer within 60 s")
    found = ledger.summary(1.0)
    assert (found.different, found.share, found.failures) == (1, 1.0, {"no answer within 60 s": 1})
    assert found.verdicts[Verdict.UNANSWERED] == 1


def test_times_stand_side_by_side() -> None:
    found = summed(("1", "1"))
    lines = text(HEADING, found).splitlines()
    row = next(one for one in lines if one.split()[:1] == ["p50"])
    assert row.split() == ["p50", "1", "ms", "2", "ms", "2.00", "×"]


def test_the_terminal_says_what_changed() -> None:
    said = text(HEADING, summed(("1", "1"), ("1", "2")))
    for words in (
        "iris.jsonl  ->  http://iris-v2",
        "2 requests recorded of default/iris, sent in 2 s (16 at a time, 1 a second)",
        "50.00%  different",
        "output   predictions: 2 values, 1 differ, the class changed in 1 of 2 rows",
        "1  1 -> 2",
        f"worst    line 2  {PATH}  predictions [0]: 1, now 2",
        "note     a <note>",
    ):
        assert words in said, said


def test_programs_get_numbers() -> None:
    found = json.loads(json.dumps(document(HEADING, summed(("1", "2")))))
    assert found["answers"] == {"same": 0, "close": 0, "different": 1, "unanswered": 0, "not_compared": 0}
    assert found["outputs"][0]["classes"] == [{"recorded": "1", "replayed": "2", "count": 1}]
    assert found["latencyMs"]["replayed"]["p50"] == 2.0
    assert found["examples"][0]["line"] == 1


class Page(HTMLParser):
    """What stands open, and what a page asks others for."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.captions = 0
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.outside += [value or "" for name, value in attrs if name in ("src", "href")]
        self.captions += tag == "caption"
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("pairs", [[("1", "1")], [("0.5", "0.7"), ("1", "2")], []])
def test_the_page_is_whole_and_needs_nothing_else(pairs: list[tuple[str, str]]) -> None:
    made = page(HEADING, summed(*pairs), allowed=0.0)
    found = Page()
    found.feed(made)
    found.close()
    assert found.open == []
    assert found.outside == []
    assert "<script" not in made
    assert "url(" not in made


def test_the_page_says_what_the_terminal_says_and_nothing_of_it_is_markup() -> None:
    made = page(HEADING, summed(("1", "2")), allowed=0.0)
    found = Page()
    found.feed(made)
    assert "Answers differ in 1 of 1 (100.00%; 0.00% allowed)" in found.words
    assert "Line 1: predictions [0]: 1, now 2" in found.words
    assert '{"instances": [["<b>"]]}' in found.words
    assert "a <note>" in found.words
    assert found.captions >= 3
    assert "Same answers to all of 1" in _words(page(HEADING, summed(("1", "1")), allowed=0.0))


def _words(made: str) -> str:
    found = Page()
    found.feed(made)
    return found.words
