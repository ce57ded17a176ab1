"""Every reason in the controllers' code is explained, and the manual's table is the one in the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.cli.desk import Desk

from inferplane.cli.why.reasons import PATTERNS, REASONS, meaning
from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Resource

ROOT = Path(__file__).parents[4]
PLACES = ("serving", "autoscaling", "knative", "gateway", "node", "workloads/deployments", "workloads/replicasets",
          "workloads/autoscaling", "workloads/scheduling")  # fmt: skip
CAMEL = re.compile(r"[A-Z][a-z]+([A-Z]+[a-z]*)+")
ENDINGS = re.compile(r"( ingress not created| Deployment NotReady| HttpRouteNotReady|^ not ready)$")
# Words of this shape that are no reasons: types of conditions, kinds, values of fields, names in templates.
OTHERS = frozenset(
    {
        "AbleToScale",
        "AlreadyRunning",
        "AutoscalerReady",
        "AutoscalerStatus",
        "AverageValue",
        "BestEffort",
        "CanaryPredictorReady",
        "ClusterFirst",
        "ClusterServingRuntime",
        "ConfigMap",
        "ContainerResource",
        "ContainersReady",
        "DeltaAggregatedResources",
        "DirectoryOrCreate",
        "DownstreamEnd",
        "DownstreamPeriodic",
        "ExitCode",
        "ExplainerConfigurationReady",
        "ExplainerReady",
        "ExplainerRoutesReady",
        "ExternalName",
        "FallbackToLogsOnError",
        "FileOrCreate",
        "IfNotPresent",
        "InferenceGraph",
        "InferenceService",
        "IngressDomain",
        "FrameworkSupported",
        "IngressReady",
        "IsMMSPredictor",
        "InternalIP",
        "LatestDeploymentReady",
        "MemAvailable",
        "MemTotal",
        "MemoryResourceAvailable",
        "ModuleNotFoundError",
        "NodeReady",
        "OnFailure",
        "PathPrefix",
        "PodScheduled",
        "PredictorConfigurationReady",
        "PredictorReady",
        "PredictorRouteReady",
        "PreferNoSchedule",
        "RegularExpression",
        "ReplaceFullPath",
        "ReplacePrefixMatch",
        "ReplicaFailure",
        "ReplicaSet",
        "RequestHeaderModifier",
        "RequestMirror",
        "RequestRedirect",
        "ResolvedRefs",
        "ResponseHeaderModifier",
        "RollingUpdate",
        "RouterReady",
        "RoutesReady",
        "ScalingActive",
        "ScalingLimited",
        "ShadowReady",
        "ServiceAccount",
        "ServicesReady",
        "StoreCaches",
        "TokenRequest",
        "TransformerConfigurationReady",
        "TransformerReady",
        "TransformerRouteReady",
        "URLRewrite",
    }
)


def words_in_the_code() -> Iterator[tuple[str, str]]:
    """Texts of the shape of a reason, each with the file that it stands in."""
    for place in PLACES:
        for file in sorted((ROOT / "src/inferplane/controlplane" / place).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                word = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
                if CAMEL.fullmatch(word) or ENDINGS.search(word):
                    yield word, str(file.relative_to(ROOT))


def test_every_reason_of_the_controllers_is_explained() -> None:
    """A new one belongs into `reasons.py`; a word that is none, into `OTHERS` above."""
    others = OTHERS | {one.kind for one in vars(kinds).values() if isinstance(one, Resource)}
    unknown = {word: file for word, file in words_in_the_code() if meaning(word) is None and word not in others}
    assert unknown == {}


def test_what_is_explained_is_in_the_code() -> None:
    """But for KServe's own reasons, which are part of the API."""
    there = {word for word, _ in words_in_the_code()}
    enumerated = {"InvalidPredictorSpec", "ModelLoadFailed", "NoSupportingRuntime", "RuntimeDisabled",
                  "RuntimeNotRecognized", "RuntimeUnhealthy"}  # fmt: skip
    assert {one for one in REASONS if CAMEL.fullmatch(one)} - there == enumerated


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Predictor ingress not created", "the component is not ready"),
        ("Transformer Deployment NotReady", "the route or the component behind it"),
        ("PredictorRouteReady not ready", "that condition of a component is not true"),
        ("NoReadyEndpoints", "no ready pod"),
    ],
)
def test_reasons_that_begin_with_a_name_are_known_by_their_end(reason: str, words: str) -> None:
    found = meaning(reason)
    assert found is not None
    assert words in found.words


def test_a_reason_of_another_system_is_left_to_its_own_words() -> None:
    assert meaning("CertificateNotReady") is None


def test_the_manual_has_the_same_table() -> None:
    text = (ROOT / "docs/reasons.md").read_text()
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", text, re.MULTILINE))
    told = {**REASONS, **{f"…{suffix}": one for suffix, one in PATTERNS.items()}}
    assert rows == {name: f"{one.words} | {one.fix}".rstrip() for name, one in told.items()}


def test_why_looks_a_reason_up_without_a_platform(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.platform = None
    assert desk.type("why", "ServerlessModeRejected") == 0
    first, fix = capsys.readouterr().out.splitlines()
    assert first.startswith("ServerlessModeRejected: the service asks for Knative mode")
    assert fix.startswith("  fix   install Knative Serving")
