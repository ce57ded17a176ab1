import msgspec

from inferplane.resources.core import Pod, Service


def test_a_pod_as_the_api_stores_it_decodes_with_its_probes_volumes_and_states() -> None:
    pod = msgspec.convert(
        {
            "metadata": {"name": "iris-0", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {
                "containers": [
                    {
                        "name": "main",
                        "image": "iris:1",
                        "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                        "resources": {"requests": {"cpu": "500m", "memory": 1024}},
                        "readinessProbe": {"httpGet": {"port": "http", "path": "/v2/health/ready"}, "periodSeconds": 5},
                        "securityContext": {"runAsUser": 1},
                    }
                ],
                "volumes": [
                    {"name": "info", "downwardAPI": {"items": [{"path": "labels"}]}},
                    {"name": "nfs", "nfs": {}},
                ],
            },
            "status": {
                "phase": "Running",
                "podIP": "127.1.0.2",
                "podIPs": [{"ip": "127.1.0.2"}],
                "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": None}],
                "containerStatuses": [
                    {
                        "name": "main",
                        "ready": True,
                        "restartCount": 2,
                        "image": "iris:1",
                        "imageID": "iris@1",
                        "state": {"running": {"startedAt": "2026-01-01T00:00:01Z"}},
                        "lastState": {"terminated": {"exitCode": 137, "signal": 9, "reason": "Error"}},
                    }
                ],
            },
        },
        Pod,
    )
    [main], [status] = pod.spec.containers, pod.status.container_statuses
    assert main.env[0].value_from is not None
    assert main.env[0].value_from.field_ref is not None
    assert main.env[0].value_from.field_ref.field_path == "status.podIP"
    assert main.readiness_probe is not None
    assert main.readiness_probe.http_get is not None
    assert (main.readiness_probe.http_get.port, main.readiness_probe.period_seconds) == ("http", 5)
    assert main.resources.requests == {"cpu": "500m", "memory": 1024}
    assert pod.spec.volumes[0].downward_api is not None
    assert pod.spec.volumes[0].downward_api.items[0].path == "labels"
    assert (pod.ready, pod.finished, pod.status.pod_ip, pod.status.pod_ips[0].ip) == (True, False, *["127.1.0.2"] * 2)
    assert status.state.running is not None
    assert status.last_state.terminated is not None
    assert (status.last_state.terminated.exit_code, status.restart_count, status.image_id) == (137, 2, "iris@1")


def test_a_written_status_uses_the_names_of_the_api() -> None:
    pod = msgspec.convert({"status": {"podIP": "127.1.0.2", "hostIP": "127.0.0.1", "qosClass": "Burstable"}}, Pod)
    assert msgspec.to_builtins(pod)["status"] == {"podIP": "127.1.0.2", "hostIP": "127.0.0.1", "qosClass": "Burstable"}


def test_a_service_without_a_cluster_ip_is_headless() -> None:
    assert msgspec.convert({"spec": {"clusterIP": "None"}}, Service).spec.headless
    assert not msgspec.convert({"spec": {"clusterIP": "10.0.0.1"}}, Service).spec.headless
