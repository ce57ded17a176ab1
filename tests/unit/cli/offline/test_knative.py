"""What `validate` says of Knative's kinds and ConfigMaps, and at which line."""

import pytest

from inferplane.cli.manifests import parse
from inferplane.cli.offline.checking import check

SERVICE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: hello
  annotations: {}
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/target: "10"
    spec:
      containerConcurrency: 2
      containers:
      - image: example.com/hello
"""
AUTOSCALER = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: config-autoscaler, namespace: knative-serving}
data:
  stable-window: 30s
  max-scale: "5"
  max-scale-limit: "8"
"""

ANNOTATIONS = "spec.template.metadata.annotations.autoscaling.knative.dev/"


def said(*texts: str) -> list[str]:
    return [str(one) for one in check(parse("---\n".join(texts), "f.yaml"), "default")]


def test_a_sound_service_has_no_findings() -> None:
    assert said(SERVICE) == []
    assert said(SERVICE, AUTOSCALER) == []


@pytest.mark.parametrize(
    ("wrong", "right", "finding"),
    [
        (
            'target: "0"',
            'target: "10"',
            f"f.yaml:10: {ANNOTATIONS}target: expected a number of 0.01 or more, got '0'",
        ),
        (
            "containerConcurrency: 2000",
            "containerConcurrency: 2",
            "f.yaml:12: spec.template.spec.containerConcurrency: expected 0 to 1000, got 2000",
        ),
        (
            "containerConcurency: 2",
            "containerConcurrency: 2",
            "f.yaml:12: spec.template.spec.containerConcurency: unknown field; did you mean containerConcurrency?",
        ),
    ],
)
def test_what_its_controllers_would_refuse_is_said_at_its_line(wrong: str, right: str, finding: str) -> None:
    assert said(SERVICE.replace(right, wrong)) == [finding]


def test_annotations_of_the_autoscaler_belong_to_the_template() -> None:
    (finding,) = said(SERVICE.replace("annotations: {}", 'annotations: {autoscaling.knative.dev/min-scale: "1"}'))
    assert finding.startswith("f.yaml:5: metadata.annotations.autoscaling.knative.dev/min-scale: ")
    assert "spec.template.metadata.annotations" in finding


def test_a_limit_of_the_platform_among_the_files_counts() -> None:
    many = SERVICE.replace("target", "max-scale")
    assert said(many) == []
    (finding,) = said(many, AUTOSCALER)
    assert finding.endswith("expected 1 to 8 (max-scale-limit of config-autoscaler), got '10'")


@pytest.mark.parametrize(
    ("name", "data", "finding"),
    [
        ("config-autoscaler", "stable-window: 1s", "data.stable-window: expected 6s to 1h in whole seconds, got '1s'"),
        ("config-gc", "min-non-active-revisions: some", "data.min-non-active-revisions: expected"),
    ],
)
def test_a_config_map_is_held_against_its_bounds(name: str, data: str, finding: str) -> None:
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: knative-serving}}\ndata:\n  {data}\n"
    (found,) = said(text, SERVICE)
    assert found.startswith(f"f.yaml:5: {finding}")
