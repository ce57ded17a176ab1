"""What a revision gets that its template does not say."""

from inferplane.kernel.json import Json, JsonObject, list_at
from inferplane.resources.knative.config import Config, read
from inferplane.resources.knative.defaulting import defaulted


def made(*containers: JsonObject, config: Config | None = None, **fields: Json) -> JsonObject:
    return defaulted({"containers": [*(containers or ({"image": "a"},))], **fields}, config or Config())


def names(spec: JsonObject) -> list[Json]:
    return [one.get("name") for one in list_at(spec, "containers") if isinstance(one, dict)]


def test_a_plain_container_gets_a_name_a_probe_and_limits() -> None:
    assert made() == {
        "containers": [
            {
                "image": "a",
                "name": "user-container",
                "readinessProbe": {"tcpSocket": {"port": 0}, "successThreshold": 1},
            }
        ],
        "containerConcurrency": 0,
        "timeoutSeconds": 300,
        "enableServiceLinks": False,
    }


def test_defaulting_twice_is_defaulting_once() -> None:
    once = made({"image": "a", "ports": [{"containerPort": 1}]}, {"image": "b"})
    assert defaulted(once, Config()) == once


def test_of_several_each_gets_a_free_number() -> None:
    taken: JsonObject = {"name": "user-container-0", "image": "a", "ports": [{"containerPort": 1}]}
    assert names(made(taken, {"image": "b"}, {"image": "c"})) == [
        "user-container-0", "user-container-1", "user-container-2"
    ]  # fmt: skip


def test_a_time_of_zero_is_the_default_and_stricter_limits_come_along() -> None:
    strict = read(
        "config-defaults",
        {"revision-response-start-timeout-seconds": "100", "revision-idle-timeout-seconds": "50"},
        Config(),
    )
    found = made(config=strict, timeoutSeconds=0)
    limits = [found.get(one) for one in ("timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds")]
    assert limits == [300, 100, 50]
    short = made(config=strict, timeoutSeconds=50)
    assert not short.keys() & {"responseStartTimeoutSeconds", "idleTimeoutSeconds"}


def test_what_is_mounted_is_read_only_unless_it_is_made_for_writing() -> None:
    mounts: list[Json] = [{"name": "s", "mountPath": "/s"}, {"name": "e", "mountPath": "/e"}]
    volumes: list[Json] = [{"name": "s", "secret": {}}, {"name": "e", "emptyDir": {}}]
    (one,) = list_at(made({"image": "a", "volumeMounts": mounts}, volumes=volumes), "containers")
    assert isinstance(one, dict)
    assert one["volumeMounts"] == [
        {"name": "s", "mountPath": "/s", "readOnly": True}, {"name": "e", "mountPath": "/e"}
    ]  # fmt: skip


def test_resources_are_those_that_the_operator_configured() -> None:
    config = read("config-defaults", {"revision-cpu-request": "100m", "revision-memory-limit": "1Gi"}, Config())
    (one,) = list_at(made({"image": "a", "resources": {"requests": {"cpu": "1"}}}, config=config), "containers")
    assert isinstance(one, dict)
    assert one["resources"] == {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}
