import re
from pathlib import Path

import pytest
from bench import peers


@pytest.mark.parametrize("name", [name for name in peers.REQUIREMENTS if name != "inferplane"])
def test_each_peer_is_pinned_completely_and_from_no_host(name: str) -> None:
    lines = (Path(peers.__file__).with_name("constraints") / f"{name}.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+", pin) for pin in pins)
    pinned = {pin.split("==")[0].lower() for pin in pins}
    assert {re.split(r"[<>=]", one)[0].lower() for one in peers.REQUIREMENTS[name]} <= pinned


def test_a_peer_that_does_not_install_is_missing_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho no wheel for this machine >&2\nexit 1\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(peers.Missing, match="no wheel for this machine"):
        peers.environment("mosec", tmp_path)
