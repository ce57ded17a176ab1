"""Whose flags are whose, of what the runtime and the controller give TorchServe's container."""

from pathlib import Path

import pytest

from inferplane.assembly.torchserve import read

KSERVES = ["torchserve", "--start", "--model-store=/pod/model-store", "--ts-config=/pod/config/config.properties"]


def test_store_and_configuration_are_read_and_nothing_is_handed_on() -> None:
    found, options = read(KSERVES)
    assert (found.model_store, found.ts_config) == (Path("/pod/model-store"), Path("/pod/config/config.properties"))
    assert options == []


def test_without_them_they_are_where_kserve_has_them() -> None:
    found, _ = read(["torchserve", "--start"])
    assert (found.model_store, found.ts_config) == (
        Path("/mnt/models/model-store"),
        Path("/mnt/models/config/config.properties"),
    )


def test_torchserves_other_flags_are_handed_on_and_ours_are_not() -> None:
    _, options = read([*KSERVES, "--enable-model-api", "--log-config", "/l.xml", "--enable-batcher", "--log-url", "u"])
    assert sorted(options) == ["--enable-model-api", "--log-config=/l.xml"]


def test_the_variable_for_the_configuration_comes_before_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TS_CONFIG_FILE", "/other/config.properties")
    found, _ = read(KSERVES)
    assert found.ts_config == Path("/other/config.properties")
