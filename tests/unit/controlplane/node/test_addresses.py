from pathlib import Path

import pytest

from inferplane.controlplane.node.addresses import claim
from inferplane.kernel.errors import InferplaneError


def test_a_home_keeps_its_network_and_two_homes_have_different_ones(tmp_path: Path) -> None:
    first = claim(tmp_path / "a.json", tmp_path)
    second = claim(tmp_path / "b.json", tmp_path)
    assert first.network != second.network
    network = first.network
    first.close()
    again = claim(tmp_path / "a.json", tmp_path)
    assert again.network == network
    again.close()
    second.close()


def test_a_network_that_is_held_by_another_process_is_refused(tmp_path: Path) -> None:
    held = claim(tmp_path / "a.json", tmp_path)
    with pytest.raises(InferplaneError, match=rf"127\.{held.network}\.0\.0/16 of this platform are in use"):
        claim(tmp_path / "a.json", tmp_path)
    held.close()


def test_addresses_go_round_and_pass_over_those_in_use(tmp_path: Path) -> None:
    pool = claim(tmp_path / "a.json", tmp_path)
    prefix = f"127.{pool.network}"
    assert [pool.take(), pool.take()] == [f"{prefix}.0.2", f"{prefix}.0.3"]
    pool.release(f"{prefix}.0.2")
    assert pool.take() == f"{prefix}.0.4"
    pool.last = 0xFFFE
    pool.reserve(f"{prefix}.0.2")
    assert pool.take() == f"{prefix}.0.5"
    pool.close()


def test_a_restarted_node_goes_on_after_the_last_address(tmp_path: Path) -> None:
    pool = claim(tmp_path / "a.json", tmp_path)
    last = pool.take()
    pool.close()
    again = claim(tmp_path / "a.json", tmp_path)
    assert again.take() != last
    again.close()
