"""What `render` prints for an InferenceGraph, and what `validate` says of one."""

import msgspec
import pytest

from inferplane.cli.manifests import parse
from inferplane.cli.offline.checking import check
from inferplane.cli.offline.graphs import children
from inferplane.cli.offline.world import world_of
from inferplane.kernel.json import JsonObject, list_at, text_at

GRAPH = """\
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: pair, namespace: ml}
spec:
  nodes:
    root:
      routerType: Sequence
      steps:
      - serviceName: iris
      - serviceName: other
"""
ISVC = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: iris, namespace: ml}
spec:
  predictor: {onnx: {storageUri: "gs://bucket/iris"}}
  transformer: {containers: [{image: x, env: [{name: PROTOCOL, value: v2}]}]}
"""


def rendered(text: str, mode: str) -> dict[str, JsonObject]:
    manifests = parse(text, "f.yaml")
    [graph] = [one for one in manifests if one.kind == "InferenceGraph"]
    made = children(graph, manifests, world_of(manifests, "default"), "default", mode)
    return {f"{text_at(one, 'kind')}/{text_at(one, 'metadata', 'name')}": one for one in made}


@pytest.mark.parametrize(
    ("mode", "objects"),
    [
        ("Knative", ["Service/pair"]),
        (
            "Standard",
            [
                "Deployment/pair",
                "Service/pair",
                "HorizontalPodAutoscaler/pair",
                "HTTPRoute/pair",
                "HTTPRoute/pair-path",
            ],
        ),
    ],
)
def test_a_graph_is_rendered_in_either_mode(mode: str, objects: list[str]) -> None:
    assert list(rendered(GRAPH, mode)) == objects


def test_services_of_the_files_are_asked_as_they_will_be_there_and_others_in_v1() -> None:
    service = rendered(f"{ISVC}---\n{GRAPH}", "Knative")["Service/pair"]
    [container] = list_at(service, "spec", "template", "spec", "containers")
    assert isinstance(container, dict)
    steps = msgspec.json.decode(str(list_at(container, "args")[1]))["nodes"]["root"]["steps"]
    assert [one["serviceUrl"] for one in steps] == [
        "http://iris-transformer.ml.svc.cluster.local/v2/models/iris/infer",
        "http://other-predictor.ml.svc.cluster.local/v1/models/other:predict",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "serviceName: other",
            "nodeName: other",
            "f.yaml:10: spec.nodes.root.steps[1].nodeName: there is no node 'other'",
        ),
        ("    root:", "    start:", "f.yaml:5: spec.nodes: no node is named root, which takes the requests"),
        ("Sequence", "Sequense", "f.yaml:7: spec.nodes.root.routerType: "),
    ],
)
def test_a_fault_is_said_once_with_its_line(old: str, new: str, said: str) -> None:
    [finding] = check(parse(GRAPH.replace(old, new), "f.yaml"), "default")
    assert str(finding).startswith(said)
