"""What users of Kubernetes type, against a whole platform: kubectl, unmodified, from the manual's first page."""

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator

import psutil
import pytest
from tests.e2e.whole import EXAMPLE, Whole, eventually, whole_platform

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.kubectl,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH: install it to run these"),
]


STANDARD = "standard-iris"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("kubectl")) as started:
        started.train()
        yield started


@pytest.fixture(scope="module")
def iris(platform: Whole) -> Whole:
    """The example, applied and waited for with kubectl."""
    said = platform.kubectl("apply", "-f", EXAMPLE / "isvc.yaml")
    assert "inferenceservice.serving.kserve.io/sklearn-iris created" in said
    waited = platform.kubectl("wait", "--for=condition=Ready", "isvc/sklearn-iris", "--timeout=50s")
    assert waited == "inferenceservice.serving.kserve.io/sklearn-iris condition met\n"
    return platform


@pytest.fixture(scope="module")
def standard(platform: Whole) -> Whole:
    """The same in Standard mode, where its Deployment is the user's to scale and to restart."""
    service = (EXAMPLE / "isvc.yaml").read_text()
    marked = f"name: {STANDARD}\n  annotations:\n    serving.kserve.io/deploymentMode: Standard"
    platform.kubectl("apply", "-f", "-", stdin=service.replace("name: sklearn-iris", marked))
    platform.kubectl("wait", "--for=condition=Ready", f"isvc/{STANDARD}", "--timeout=50s")
    return platform


def row(table: str) -> dict[str, str]:
    """The first row under a table's header, by column."""
    header, first = table.splitlines()[:2]
    starts = [found.start() for found in re.finditer(r"\S+(?: \S+)*", header)]
    ends = [*starts[1:], None]
    return {header[start:end].strip(): first[start:end].strip() for start, end in zip(starts, ends, strict=True)}


def test_get_prints_the_columns_that_kserve_prints(iris: Whole) -> None:
    shown = row(iris.kubectl("get", "isvc"))
    assert list(shown) == [
        "NAME", "URL", "READY", "PREV", "LATEST", "PREVROLLEDOUTREVISION", "LATESTREADYREVISION", "AGE",
    ]  # fmt: skip
    assert shown["READY"] == "True"
    assert re.fullmatch(r"http://sklearn-iris\.default\.localhost:\d+", shown["URL"])
    assert (shown["LATEST"], shown["LATESTREADYREVISION"]) == ("100", "sklearn-iris-predictor-00001")


def test_the_url_of_the_status_answers(iris: Whole) -> None:
    url = iris.kubectl("get", "isvc", "sklearn-iris", "-o", "jsonpath={.status.url}")
    body = b'{"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}'
    host = url.removeprefix("http://")
    # A resolver that knows no *.localhost gets there as well: the gateway goes by the Host header.
    request = urllib.request.Request(iris.gateway + "/v1/models/sklearn-iris:predict", body, {"Host": host})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert json.load(answer) == {"predictions": [1, 1]}


def test_the_path_of_the_service_answers_without_its_host(iris: Whole) -> None:
    url = f"{iris.gateway}/serving/default/sklearn-iris/v2/models/sklearn-iris"
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert json.load(answer)["name"] == "sklearn-iris"


def test_children_are_listed_in_one_go(iris: Whole) -> None:
    shown = iris.kubectl("get", "pods,deploy,rs,svc,endpointslices,httproute")
    assert re.search(r"^deployment.apps/sklearn-iris-predictor-00001-deployment +1/1 +1 +1", shown, re.MULTILINE)
    for kind in ("pod", "replicaset.apps", "service", "endpointslice.discovery.k8s.io"):
        assert f"{kind}/sklearn-iris-predictor-00001" in shown
    assert "httproute.gateway.networking.k8s.io/sklearn-iris " in shown


def test_children_in_standard_mode_are_listed_in_one_go(standard: Whole) -> None:
    shown = standard.kubectl("get", "pods,deploy,rs,svc,endpointslices,httproute")
    assert re.search(rf"^deployment.apps/{STANDARD}-predictor +1/1 +1 +1", shown, re.MULTILINE)
    for kind in ("pod", "replicaset.apps", "service", "endpointslice.discovery.k8s.io"):
        assert f"{kind}/{STANDARD}-predictor" in shown
    assert f"httproute.gateway.networking.k8s.io/{STANDARD} " in shown


def test_describe_tells_conditions_and_events(iris: Whole) -> None:
    # Events are written a little after what they tell of.
    eventually(lambda: "InferenceServiceReady" in iris.kubectl("describe", "isvc", "sklearn-iris"), 60)
    said = iris.kubectl("describe", "isvc", "sklearn-iris")
    assert "Cluster Serving Runtime Name:  kserve-sklearnserver" in said
    assert re.search(r"Type:\s+Ready", said)
    pod = iris.kubectl("describe", "pods", "-l", "serving.kserve.io/inferenceservice=sklearn-iris")
    assert "Scheduled" in pod
    assert re.search(r"Restart Count:\s+0", pod)


def test_logs_are_those_of_the_model_server(iris: Whole) -> None:
    deployment = "deploy/sklearn-iris-predictor-00001-deployment"
    said = iris.kubectl("logs", deployment)
    assert "sklearn-iris" in said
    assert len(iris.kubectl("logs", deployment, "--tail=1").splitlines()) == 1


def test_explain_knows_the_fields_of_ours_and_of_kubernetes(iris: Whole) -> None:
    ours = iris.kubectl("explain", "isvc.spec.predictor")
    assert "GROUP:      serving.kserve.io" in ours
    assert re.search(r"\bmodel\t<Object>", ours)
    assert "minReplicas\t<integer>" in iris.kubectl("explain", "inferenceservice.spec.predictor")
    assert "restartPolicy\t<string>" in iris.kubectl("explain", "pod.spec")


def test_an_unknown_field_is_refused_with_its_path(platform: Whole) -> None:
    wrong = (EXAMPLE / "isvc.yaml").read_text().replace("modelFormat:", "modelFormt:")
    done = subprocess.run(
        ["kubectl", "apply", "-f", "-"],
        input=wrong, env=platform.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert 'unknown field "spec.predictor.model.modelFormt"' in done.stderr


def test_scaling_the_deployment_scales_the_processes(standard: Whole) -> None:
    deployment = f"deploy/{STANDARD}-predictor"
    standard.kubectl("scale", deployment, "--replicas=2")
    standard.kubectl("rollout", "status", deployment, "--timeout=50s")
    assert row(standard.kubectl("get", deployment))["READY"] == "2/2"
    standard.kubectl("scale", deployment, "--replicas=1")
    eventually(lambda: row(standard.kubectl("get", deployment))["READY"] == "1/1", within=60)


def test_a_restart_rolls_over_without_a_gap(standard: Whole) -> None:
    deployment = f"deploy/{STANDARD}-predictor"
    standard.kubectl("rollout", "restart", deployment)
    said = standard.kubectl("rollout", "status", deployment, "--timeout=50s")
    assert "successfully rolled out" in said
    assert "2 " in standard.kubectl("rollout", "history", deployment)


def test_delete_leaves_no_process_and_no_route(iris: Whole, standard: Whole) -> None:
    addresses = iris.kubectl("get", "pods", "-o", "jsonpath={.items[*].status.podIP}").split()
    assert addresses
    said = iris.kubectl("delete", "isvc", "sklearn-iris", STANDARD)
    assert said.startswith('inferenceservice.serving.kserve.io "sklearn-iris" deleted')

    def nothing_is_left() -> bool:
        left = iris.kubectl("get", "ksvc,rev,deploy,rs,pods,svc,endpointslices,httproutes", "-o", "name")
        return not left.replace("service/kubernetes\n", "").strip()

    eventually(nothing_is_left, within=60)
    listening = {one.laddr.ip for one in psutil.net_connections(kind="tcp") if one.laddr and one.status == "LISTEN"}
    assert not listening & set(addresses)
