"""docs/autoscaling.md names every annotation and every key, with the code's defaults; its trace can be replayed."""

import re
from pathlib import Path

from tests.manual.blocks import blocks

from inferplane.cli.commands.autoscaler import simulate
from inferplane.controlplane.autoscaling.replay import replay
from inferplane.controlplane.autoscaling.traces import read
from inferplane.resources.autoscaling_knative import annotations, config
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig

PAGE = Path(__file__).parents[2] / "docs" / "autoscaling.md"


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, as the back-ticked words of each."""
    section = PAGE.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[0]
    return [re.split(r"(?<!\\)\|", line.strip("|")) for line in table.splitlines()[2:]]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_annotation_is_on_the_page_with_both_spellings() -> None:
    shown = [words(row[0]) for row in rows("Annotations")]
    known = [[key, other] if (other := annotations.OTHER_SPELLINGS.get(key)) else [key] for key in annotations.KEYS]
    assert sorted(shown) == sorted(known)


def test_every_key_is_on_the_page_and_its_default_is_the_codes() -> None:
    shown = {words(row[0])[0]: words(row[1])[0] for row in rows("The ConfigMap `config-autoscaler`")}
    assert set(shown) == set(config.DEFAULTS)
    assert config.read(shown) == AutoscalerConfig()


def test_the_options_of_the_simulation_are_the_commands() -> None:
    shown = {word for row in rows("What if") for word in re.findall(r"(?<![\w-])--?[a-z]+", " ".join(words(row[0])))}
    known = [{*one.opts} for one in simulate.params]
    assert all(any(word in options for options in known) for word in shown)
    # `--ramp` is told beside `--load`.
    assert [options for options in known if not options & (shown | {"--ramp"})] == []


def test_the_trace_on_the_page_can_be_replayed() -> None:
    (trace,) = [one.text for one in blocks(PAGE) if one.language == "json"]
    assert [one.verdict and one.verdict.desired for one in replay(read(trace.encode(), "docs"))] == [1, 1]
