"""docs/graphs.md names what the code has: metrics, modifiers, reasons; its graph and its conditions are sound."""

import re
from pathlib import Path

import msgspec
import yaml

from inferplane.controlplane.serving.graphs import plan
from inferplane.dataplane.graph.metrics import GraphMetrics
from inferplane.resources import gjson
from inferplane.resources.gjson.paths import MODIFIERS
from inferplane.resources.serving import graph_validation
from inferplane.resources.serving.inferencegraph import InferenceGraphSpec

PAGE = (Path(__file__).parents[2] / "docs" / "graphs.md").read_text()


def test_every_metric_is_on_the_page_with_its_labels() -> None:
    metrics = GraphMetrics()
    metrics.request(200, 0.1)
    metrics.answered("root/0", 200, 0.1)
    told = dict(re.findall(r"^\| `(inferplane_\w+)` \| \w+ \|(.*)\|$", PAGE, re.MULTILINE))
    text = metrics.exposition("")[0].decode()
    exposed: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(inferplane_\w+?)(?:_bucket|_count|_sum)?(\{.*\})? ", text, re.MULTILINE):
        if not name.endswith("_created"):
            exposed.setdefault(name, set()).update(re.findall(r"(\w+)=", labels))
    assert {name: set(labels.split()) for name, labels in told.items()} == {
        name: labels - {"le"} for name, labels in exposed.items()
    }


def test_every_modifier_is_on_the_page() -> None:
    [listed] = re.findall(r"modifiers (`@this`.*?)\. A text", PAGE, re.DOTALL)
    assert set(re.findall(r"@(\w+)", listed)) == set(MODIFIERS)


def test_the_reasons_of_services_are_on_the_page() -> None:
    assert [one for one in (*plan.OF_SERVICES, plan.INVALID) if f"`{one}`" not in PAGE] == []


def test_the_graph_of_the_page_can_be_carried_out() -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    body = yaml.safe_load(text)
    assert graph_validation.problems("irises", msgspec.convert(body["spec"], InferenceGraphSpec)) == []


def test_the_conditions_of_the_page_are_paths() -> None:
    table = PAGE.split("| path | holds when |")[1].split("\n\n")[0]
    paths = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(paths) > 5
    assert [one for one in paths if gjson.parse(one).always_exists] == []
