import asyncio
import os
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock

from inferplane.dataplane.puller.config import LOOK_EVERY, ConfigFile, InvalidConfig, ModelSpec, parse

ONE = b'[{"modelName":"m1","modelSpec":{"storageUri":"s3://b/m1","framework":"sklearn","memory":"1G"}}]'
M1 = ModelSpec(storage_uri="s3://b/m1", framework="sklearn", memory="1G")


@pytest.mark.parametrize(("data", "models"), [(ONE, {"m1": M1}), (b"[]", {}), (b"", {}), (b" \n", {})])
def test_kserves_list_of_models_is_read_and_nothing_is_an_empty_list(data: bytes, models: dict[str, ModelSpec]) -> None:
    assert parse(data) == models


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (ONE[:50], "of 50 bytes"),
        (b'{"modelName":"m1"}', "Expected `array`, got `object`"),
        (b'[{"modelName":"m1"}]', r"missing required field `modelSpec` - at `\$\[0\]`"),
        (b'[{"modelName":"m1","modelSpec":{"storageUri":3}}]', r"at `\$\[0\].modelSpec.storageUri`"),
        (ONE.replace(b"m1", b"../m", 1), "modelName '../m': expected letters"),
        (ONE[:-1] + b"," + ONE[1:], "modelName 'm1' is there twice"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_place(data: bytes, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words):
        parse(data)


class Watched:
    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        self.file = directory / "models.json"
        self.config = ConfigFile(directory, self.clock)
        self.versions = self.config.versions()

    async def looks_again(self, *, times: int = 1) -> dict[str, ModelSpec] | None:
        """What is told within so many looks, None for nothing."""
        told = asyncio.ensure_future(anext(self.versions))
        for _ in range(times):
            for _ in range(5):
                await asyncio.sleep(0)
            if told.done():
                break
            self.clock.advance(LOOK_EVERY)
        for _ in range(5):
            await asyncio.sleep(0)
        if told.done():
            return told.result()
        told.cancel()
        await asyncio.gather(told, return_exceptions=True)
        self.versions = self.config.versions()
        return None


async def test_a_change_is_told_and_the_same_again_is_not(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.file.write_bytes(ONE)
    assert await watched.looks_again() == {"m1": M1}
    watched.file.write_bytes(b"[]")
    assert await watched.looks_again(times=3) == {}


async def test_a_file_cut_in_half_leaves_the_last_good_one_in_force_and_says_why(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.file.write_bytes(ONE)
    assert await watched.looks_again() == {"m1": M1}
    watched.file.write_bytes(ONE[: len(ONE) // 2])
    assert await watched.looks_again(times=3) is None
    assert "models.json cannot be used: " in watched.config.problem
    assert "the last good one stays in force" in watched.config.problem


async def test_a_file_that_is_whole_again_is_in_force(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.file.write_bytes(ONE[:20])
    assert await watched.looks_again() is None
    watched.file.write_bytes(ONE)
    assert await watched.looks_again() == {"m1": M1}
    assert watched.config.problem == ""


async def test_the_link_of_a_config_map_volume_is_followed_when_it_changes(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    for name, data in (("..1", ONE), ("..2", b"[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "models.json").write_bytes(data)
    os.symlink("..1", tmp_path / "..data")
    os.symlink("..data/models.json", watched.file)
    assert await watched.looks_again() == {"m1": M1}
    os.symlink("..2", tmp_path / "..data_tmp")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    assert await watched.looks_again(times=3) == {}


async def test_without_a_file_nothing_is_told_until_it_comes(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    assert await watched.looks_again(times=2) is None
    assert "No such file" in watched.config.problem
    watched.file.write_bytes(ONE)
    assert await watched.looks_again() == {"m1": M1}
