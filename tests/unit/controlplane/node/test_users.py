"""Whom a container runs as: the pod's own user, or what security contexts say."""

import msgspec
import pytest

from inferplane.controlplane.node.environment import ConfigError
from inferplane.controlplane.node.users import User, own_id, user_of
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.core import Pod

OURS = "inferplane.assembly.storage_initializer:main"
OWN = own_id("127.3.0.7")


def user(whole: JsonObject, single: JsonObject, entrypoint: str = "") -> User | None:
    container: Json = {"name": "c", "securityContext": single}
    pod = msgspec.convert({"spec": {"securityContext": whole, "containers": [container]}}, Pod)
    return user_of(pod, pod.spec.containers[0], "127.3.0.7", entrypoint)


def test_no_two_pods_of_a_machine_share_a_number() -> None:
    addresses = [f"127.{network}.{high}.{low}" for network in (1, 255) for high in (0, 255) for low in (2, 254)]
    numbers = {own_id(one) for one in addresses}
    assert len(numbers) == len(addresses)
    assert all(1 << 30 < one < 1 << 31 for one in numbers)


def test_without_a_security_context_a_pod_is_a_user_of_its_own() -> None:
    assert user({}, {}) == User(OWN, OWN, (OWN,), OWN)


def test_the_container_s_word_goes_before_the_pod_s() -> None:
    found = user({"runAsUser": 1, "runAsGroup": 2, "fsGroup": 3, "supplementalGroups": [4, 3]}, {"runAsUser": 10})
    assert found == User(10, 2, (3, OWN, 4), OWN)
    assert found.volumes == 3


def test_the_storage_initializer_stays_the_platform_s_user() -> None:
    assert user({"runAsUser": 1}, {}, OURS) is None


@pytest.mark.parametrize("value", ["root", True, -1, 1 << 31])
def test_what_is_no_number_of_a_user_is_refused(value: Json) -> None:
    with pytest.raises(ConfigError, match=r"securityContext\.runAsUser"):
        user({}, {"runAsUser": value})
