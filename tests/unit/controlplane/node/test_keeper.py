import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from inferplane.controlplane.node import runs
from inferplane.controlplane.node.keeper import Keeper
from inferplane.controlplane.node.protocol import Close, Launch, Signal, Start, decode_request, line


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "k.sock"))
        listener.listen()
        keeper = Keeper(listener, "plain")
        yield keeper
        keeper.close()


def launch(directory: Path) -> Launch:
    return Launch(
        id="u/main/3", directory=str(directory), attempt=3, argv=["true"], environment={}, cwd="/", failures=2
    )


def test_a_machine_without_a_process_to_spare_fails_that_run_and_not_the_keeper(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> int:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", full)
    keeper.obey(line(Start(launch=launch(tmp_path))))
    record = runs.read(tmp_path, 3)
    assert record is not None
    assert record.exit is not None
    assert (record.exit.code, record.exit.reason, record.failures) == (128, "StartError", 2)
    assert "Resource temporarily unavailable" in record.exit.message


def test_a_start_for_a_pod_that_was_deleted_meanwhile_does_nothing(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    keeper.obey(line(Start(launch=launch(tmp_path / "gone"))))
    assert not (tmp_path / "gone").exists()


def test_a_request_of_another_version_is_passed_over(keeper: Keeper, capsys: pytest.CaptureFixture[str]) -> None:
    keeper.obey(b'{"type": "dance"}')
    assert "dance" in capsys.readouterr().err


def test_requests_survive_the_wire(tmp_path: Path) -> None:
    for request in (Start(launch=launch(tmp_path)), Signal(id="u/main/3", number=15), Close()):
        assert decode_request(line(request)) == request
