"""What `validate` says, and at which line."""

import pytest

from inferplane.cli.manifests import parse
from inferplane.cli.offline.checking import check

HEAD = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: iris
"""


def said(text: str) -> list[str]:
    return [str(one) for one in check(parse(text, "f.yaml"), "default")]


def isvc(rest: str) -> str:
    return HEAD + rest


def test_a_sound_service_has_no_findings() -> None:
    assert said(isvc("spec: {predictor: {sklearn: {storageUri: s3://b}}}")) == []


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            isvc(
                "spec:\n  predictor:\n    model:\n      modelFormt: {name: sklearn}\n      modelFormat: {name: sklearn}"
            ),
            "f.yaml:8: spec.predictor.model.modelFormt: unknown field; did you mean modelFormat?",
        ),
        (
            isvc("spec:\n  predictor:\n    minReplicas: many\n    sklearn: {}"),
            "f.yaml:7: spec.predictor.minReplicas: expected integer, got string",
        ),
        (
            isvc("spec:\n  predictor:\n    sklearn:\n      name: x"),
            "f.yaml:8: spec.predictor.model.name: the container of a model cannot be named",
        ),
        (
            isvc("  annotations:\n    serving.kserve.io/autoscalerClass: kpa\nspec: {predictor: {sklearn: {}}}"),
            (
                "f.yaml:6: metadata.annotations[serving.kserve.io/autoscalerClass]: "
                "expected one of hpa, external, keda, none, got 'kpa'"
            ),
        ),
        (
            isvc("spec:\n  predictor:\n    model:\n      modelFormat: {name: sklearn}\n      runtime: kserve-sklearn"),
            (
                "f.yaml:9: spec.predictor.model.runtime: Waiting for runtime to become available: no ServingRuntime or "
                "ClusterServingRuntime is called 'kserve-sklearn'; have: "
            ),
        ),
        (
            isvc("spec:\n  predictor:\n    model:\n      modelFormat: {name: sklern}"),
            "f.yaml:8: spec.predictor.model.modelFormat: No runtime found to support model format 'sklern'",
        ),
        (
            isvc("spec:\n  predictor:\n    sklearn:\n      storageUri: ftp://b"),
            "f.yaml:8: spec.predictor.model.storageUri: storageUri 'ftp://b' is not supported: expected a path",
        ),
        (
            isvc("spec:\n  predictor:\n    sklearn:\n      storageUri: s3://b\n      confidential: {enabled: true}"),
            "f.yaml:9: warning: spec.predictor.model.confidential: is not supported yet",
        ),
        (
            "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceServise\nmetadata: {name: a}",
            "f.yaml:2: kind: there is no kind InferenceServise; did you mean InferenceService?",
        ),
        (
            "apiVersion: serving.kserve.io/v1\nkind: InferenceService\nmetadata: {name: a}",
            "f.yaml:1: apiVersion: InferenceService is in serving.kserve.io/v1beta1",
        ),
        (
            "apiVersion: a.b/v1\nkind: Strange\nmetadata: {name: a}",
            "f.yaml:2: warning: kind: a.b/v1 Strange is not known here and not looked at: add the file of its CRD",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replicas: x",
            "f.yaml:5: spec.replicas: expected integer, got string",
        ),
        (
            (
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: inferenceservice-config, namespace: kserve}\n"
                "data:\n  router: '{'\n  deploy: '{\"defaultDeploymentMode\": \"No\"}'"
            ),
            "f.yaml:5: data.router: ConfigMap kserve/inferenceservice-config, key router: ",
        ),
        (
            (
                "apiVersion: serving.kserve.io/v1alpha1\nkind: ClusterServingRuntime\nmetadata: {name: mine}\nspec:\n"
                "  protocolVersions: [v1]\n  supportedModelFormats:\n  - {name: sklearn, version: '1', "
                "autoSelect: true, priority: 1}\n  containers: [{name: kserve-container, image: a}]"
            ),
            "f.yaml:6: spec.supportedModelFormats: kserve-sklearnserver has priority 1 for sklearn version 1 too",
        ),
    ],
)
def test_each_finding_is_at_its_line(text: str, finding: str) -> None:
    first = said(text)[0]
    assert first.startswith(finding)


def test_a_runtime_of_the_files_serves_a_format_of_its_own() -> None:
    service = isvc("spec: {predictor: {model: {modelFormat: {name: mine}, storageUri: s3://b}}}")
    runtime = (
        "apiVersion: serving.kserve.io/v1alpha1\nkind: ServingRuntime\nmetadata: {name: mine}\nspec:\n"
        "  supportedModelFormats: [{name: mine, autoSelect: true}]\n  containers: [{name: kserve-container, image: a}]"
    )
    assert said(f"{service}\n---\n{runtime}") == []
    assert len(said(service)) == 1


def test_a_kind_is_known_by_its_crd_among_the_files() -> None:
    crd = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.a.b}\nspec:\n"
        "  group: a.b\n  scope: Namespaced\n  names: {kind: Thing, plural: things}\n  versions:\n"
        "  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: "
        "{spec: {type: object, properties: {size: {type: integer}}}}}}}"
    )
    thing = "apiVersion: a.b/v1\nkind: Thing\nmetadata: {name: t}\nspec: {siz: 1}"
    (finding,) = said(f"{crd}\n---\n{thing}")
    assert finding.endswith("spec.siz: unknown field; did you mean size?")


def test_the_rules_of_a_crd_count() -> None:
    crd = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.a.b}\nspec:\n"
        "  group: a.b\n  scope: Namespaced\n  names: {kind: Thing, plural: things}\n  versions:\n"
        "  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: "
        "{type: object, properties: {least: {type: integer}, most: {type: integer}}, x-kubernetes-validations: "
        "[{rule: 'self.least <= self.most', message: least is more than most}]}}}}}"
    )
    thing = "apiVersion: a.b/v1\nkind: Thing\nmetadata: {name: t}\nspec: {least: 2, most: 1}"
    (finding,) = said(f"{crd}\n---\n{thing}")
    assert finding.endswith("spec: least is more than most")
    assert said(f"{crd}\n---\n{thing.replace('2', '1')}") == []


def test_the_configuration_of_the_files_counts() -> None:
    config = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: inferenceservice-config, namespace: kserve}\n"
        'data:\n  deploy: \'{"defaultDeploymentMode": "Knative"}\''
    )
    service = isvc("spec: {predictor: {sklearn: {}, scaleMetric: cpu}}")
    (finding,) = said(f"{config}\n---\n{service}")
    assert "Knative mode knows concurrency and rps, got cpu" in finding


def test_what_is_nearly_right_gets_a_hint() -> None:
    (finding,) = said(isvc("spec: {predictor: {model: {modelFormat: {name: sklern}}}}"))
    assert finding.endswith("; did you mean sklearn?")
