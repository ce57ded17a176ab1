"""What is simulated: components in Knative mode and Knative Services, with the configuration of the files."""

import pytest

from inferplane.cli.manifests import Manifest, parse
from inferplane.cli.simulation.subject import Subject, subject_of
from inferplane.kernel.errors import InferplaneError

ISVC = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: iris}
spec:
  predictor:
    maxReplicas: 5
    minReplicas: 0
    scaleMetric: concurrency
    scaleTarget: 4
    containerConcurrency: 8
    timeout: 60
    model: {modelFormat: {name: sklearn}, storageUri: "s3://models/iris"}
"""
TRANSFORMER = """\
  transformer:
    minReplicas: 1
    containers: [{name: kserve-container, image: example.com/transformer}]
"""
SERVICE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello}
spec:
  template:
    metadata:
      annotations: {autoscaling.knative.dev/metric: rps, autoscaling.knative.dev/target: "10"}
    spec: {containerConcurrency: 2, containers: [{image: example.com/hello}]}
"""
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: config-autoscaler, namespace: knative-serving}
data: {stable-window: 30s, max-scale: "9"}
"""


def files(*texts: str) -> list[Manifest]:
    return [one for n, text in enumerate(texts) for one in parse(text, f"{n}.yaml")]


def of(*texts: str, name: str = "", component: str = "") -> Subject:
    return subject_of(files(*texts), "default", name, component)


def test_an_inference_service_is_taken_as_it_would_be_in_knative_mode() -> None:
    found = of(ISVC)
    assert (found.name, found.container_concurrency, found.timeout) == ("iris-predictor", 8, 60)
    assert (found.spec.total_value, round(found.spec.target_value, 6)) == (4, 2.8)
    assert (found.limits.min_scale, found.limits.max_scale) == (0, 5)


def test_without_a_config_map_it_is_that_of_one_machine() -> None:
    assert of(ISVC).spec.target_burst_capacity == 0
    assert of(ISVC).spec.stable_window == 60


def test_a_config_map_among_the_files_counts() -> None:
    found = of(SERVICE, CONFIG)
    assert (found.spec.stable_window, found.limits.max_scale, found.spec.target_burst_capacity) == (30, 9, 211)


def test_a_knative_service_is_taken_as_it_is() -> None:
    found = of(SERVICE)
    assert (found.name, found.spec.metric, found.spec.total_value) == ("hello", "rps", 10)
    assert (found.container_concurrency, found.timeout) == (2, 300)


def test_the_predictor_is_meant_unless_a_component_is_named() -> None:
    assert of(ISVC + TRANSFORMER).name == "iris-predictor"
    assert of(ISVC + TRANSFORMER, component="transformer").name == "iris-transformer"


def test_of_several_services_one_is_named() -> None:
    with pytest.raises(InferplaneError, match="found 2 of: hello, iris-predictor: choose with --name"):
        of(ISVC, SERVICE)
    assert of(ISVC, SERVICE, name="iris").name == "iris-predictor"
    assert of(ISVC, SERVICE, name="hello").name == "hello"
    with pytest.raises(InferplaneError, match="found 0 of: hello"):
        of(SERVICE, name="bye")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SERVICE.replace('target: "10"', 'target: "0"'), "0.yaml:7: spec.template.metadata.annotations.autoscaling"),
        (
            ISVC.replace("{name: iris}", "{name: iris, annotations: {autoscaling.knative.dev/window: 1s}}"),
            "iris-predictor: autoscaling.knative.dev/window: expected a duration from 6s to 1h",
        ),
        (SERVICE.replace("metric: rps", "class: hpa.autoscaling.knative.dev"), "hello: its class is not kpa"),
        (ISVC.replace("modelFormat", "modelFormt"), "0.yaml:12: spec.predictor.model.modelFormt: unknown field"),
    ],
)
def test_what_cannot_be_simulated_is_said(text: str, words: str) -> None:
    with pytest.raises(InferplaneError) as refused:
        of(text)
    assert words in str(refused.value)
