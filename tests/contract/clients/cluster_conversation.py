"""The `kserve` package's KServeClient and the `kubernetes` package against a platform, as their users write it.

Runs in their own environment. usage: cluster_conversation.py kserve|graph|watch|election|streams URI
What came of it is printed as JSON.
"""

import contextlib
import json
import os
import sys
import threading

from kubernetes import client, config, watch

NAMESPACE = "default"


def through_kserve(model):
    from kserve import (
        KServeClient,
        V1beta1InferenceService,
        V1beta1InferenceServiceSpec,
        V1beta1ModelFormat,
        V1beta1ModelSpec,
        V1beta1PredictorSpec,
        constants,
    )

    kserve = KServeClient()
    spec = V1beta1ModelSpec(model_format=V1beta1ModelFormat(name="sklearn"), storage_uri=model)
    service = V1beta1InferenceService(
        api_version=constants.KSERVE_V1BETA1,
        kind="InferenceService",
        metadata=client.V1ObjectMeta(name="from-kserve", namespace=NAMESPACE),
        spec=V1beta1InferenceServiceSpec(predictor=V1beta1PredictorSpec(model=spec, min_replicas=1)),
    )
    created = kserve.create(service)
    kserve.wait_isvc_ready("from-kserve", namespace=NAMESPACE, timeout_seconds=90, polling_interval=1)
    ready = kserve.is_isvc_ready("from-kserve", namespace=NAMESPACE)
    service.spec.predictor.timeout = 77
    patched = kserve.patch("from-kserve", service, namespace=NAMESPACE)
    kserve.wait_isvc_ready("from-kserve", namespace=NAMESPACE, timeout_seconds=90, polling_interval=1)
    url = kserve.get("from-kserve", namespace=NAMESPACE)["status"]["url"]
    kserve.delete("from-kserve", namespace=NAMESPACE)
    return {
        "created": created["metadata"]["name"],
        "ready": ready,
        "timeout": patched["spec"]["predictor"]["timeout"],
        "url": url,
        "left": [one["metadata"]["name"] for one in services()],
    }


def through_a_graph(url):
    from kserve import (
        KServeClient,
        V1alpha1InferenceGraph,
        V1alpha1InferenceGraphSpec,
        V1alpha1InferenceRouter,
        V1alpha1InferenceStep,
        constants,
    )

    kserve = KServeClient()
    root = V1alpha1InferenceRouter(router_type="Sequence", steps=[V1alpha1InferenceStep(service_url=url)])
    graph = V1alpha1InferenceGraph(
        api_version=constants.KSERVE_V1ALPHA1,
        kind=constants.KSERVE_KIND_INFERENCEGRAPH,
        metadata=client.V1ObjectMeta(name="graph-from-kserve", namespace=NAMESPACE),
        spec=V1alpha1InferenceGraphSpec(nodes={"root": root}),
    )
    created = kserve.create_inference_graph(graph)
    kserve.wait_ig_ready("graph-from-kserve", namespace=NAMESPACE, timeout_seconds=90, polling_interval=1)
    found = kserve.get_inference_graph("graph-from-kserve", namespace=NAMESPACE)
    kserve.delete_inference_graph("graph-from-kserve", namespace=NAMESPACE)
    return {"created": created["metadata"]["name"], "url": found["status"]["url"]}


def services():
    api = client.CustomObjectsApi()
    return api.list_namespaced_custom_object("serving.kserve.io", "v1beta1", NAMESPACE, "inferenceservices")["items"]


def through_watch(model):
    """A watch from a list's version sees what comes after it, over typed and over custom objects."""
    core = client.CoreV1Api()
    version = core.list_namespaced_config_map(NAMESPACE).metadata.resource_version
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="watched"), data={"n": "1"})
    core.create_namespaced_config_map(NAMESPACE, body)
    core.patch_namespaced_config_map("watched", NAMESPACE, {"data": {"n": "2"}})
    core.delete_namespaced_config_map("watched", NAMESPACE)
    seen = []
    for event in watch.Watch().stream(
        core.list_namespaced_config_map, NAMESPACE, resource_version=version, timeout_seconds=60
    ):
        if event["object"].metadata.name == "watched":
            seen.append([event["type"], event["object"].data["n"]])
        if event["type"] == "DELETED":
            break
    try:
        core.read_namespaced_config_map("watched", NAMESPACE)
    except client.ApiException as error:
        refused = json.loads(error.body)["message"]
    return {"seen": seen, "refused": refused}


def through_election(model):
    """Two candidates: the first leads, and the second once the first is gone."""
    from kubernetes.leaderelection import electionconfig, leaderelection
    from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

    led, stopped, second = [], threading.Event(), threading.Event()

    def lead_and_fail():
        led.append("first")
        raise RuntimeError("the leader fails, and renews its lease no more")

    def lead():
        led.append("second")
        second.set()

    def run(name, started):
        settings = electionconfig.Config(
            LeaseLock("elected", NAMESPACE, name),
            lease_duration=4,
            renew_deadline=2,
            retry_period=1,
            onstarted_leading=started,
            onstopped_leading=stopped.set,
        )
        leaderelection.LeaderElection(settings).run()

    run("first", lead_and_fail)
    threading.Thread(target=run, args=("second", lead), daemon=True).start()
    took_over = second.wait(60)
    holder = client.CoordinationV1Api().read_namespaced_lease("elected", NAMESPACE).spec.holder_identity
    return {"stopped": stopped.is_set(), "took over": took_over, "led": led, "holder": holder}


def through_streams(model):
    """Commands by `connect_get_namespaced_pod_exec`, and a request through `portforward`."""
    from kubernetes.stream import portforward, stream

    core = client.CoreV1Api()
    serves = (
        "import http.server, os\n"
        "handler = http.server.SimpleHTTPRequestHandler\n"
        "http.server.ThreadingHTTPServer((os.environ['POD_IP'], 8080), handler).serve_forever()"
    )
    container = {
        "name": "main",
        "image": "box:1",
        "command": [sys.executable, "-c", serves],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    core.create_namespaced_pod(
        NAMESPACE,
        {"metadata": {"name": "box"}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}},
    )
    for event in watch.Watch().stream(core.list_namespaced_pod, NAMESPACE, timeout_seconds=90):
        conditions = event["object"].status.conditions or []
        if event["object"].metadata.name == "box" and any(c.type == "Ready" and c.status == "True" for c in conditions):
            break
    options = {"stderr": True, "stdin": False, "stdout": True, "tty": False}
    run = core.connect_get_namespaced_pod_exec
    said = stream(run, "box", NAMESPACE, command=["sh", "-c", "echo out; echo err >&2"], **options)
    typed = stream(
        run, "box", NAMESPACE, command=["sh", "-c", "read x; echo got $x; exit 5"], **(options | {"stdin": True}),
        _preload_content=False,
    )  # fmt: skip
    typed.write_stdin("word\n")
    typed.run_forever(timeout=60)
    forwarded = portforward(core.connect_get_namespaced_pod_portforward, "box", NAMESPACE, ports="8080")
    with contextlib.closing(forwarded.socket(8080)) as socket:
        socket.setblocking(True)
        socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while data := socket.recv(4096):
            answer += data
    return {
        "said": sorted(said.split()),
        "typed": typed.read_stdout(),
        "code": typed.returncode,
        "answer": answer.split(b"\r\n", 1)[0].decode(),
    }


if __name__ == "__main__":
    config.load_kube_config()
    ways = {
        "kserve": through_kserve,
        "graph": through_a_graph,
        "watch": through_watch,
        "election": through_election,
        "streams": through_streams,
    }
    print(json.dumps(ways[sys.argv[1]](sys.argv[2])), flush=True)
    # The second leader goes on in a thread of the library's own, which has no end: the process ends under it.
    os._exit(0)
