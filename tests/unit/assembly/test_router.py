"""How a router starts, and how it says why it does not."""

from pathlib import Path

import pytest

from inferplane.assembly import router

GRAPH = '{"nodes": {"root": {"routerType": "Sequence", "steps": [{"nodeName": "lost"}]}}}'


@pytest.mark.parametrize(
    ("arguments", "environ", "place"),
    [
        ([], {}, ("0.0.0.0", 8080)),
        ([], {"POD_IP": "127.1.0.2", "PORT": "9000"}, ("127.1.0.2", 9000)),
        (["--port=1", "--host=h"], {"POD_IP": "127.1.0.2", "PORT": "9000"}, ("h", 1)),
        (["--http_port", "2"], {}, ("0.0.0.0", 2)),
    ],
)
def test_flags_come_before_the_environment(
    arguments: list[str], environ: dict[str, str], place: tuple[str, int]
) -> None:
    found = router.parse(["--graph-json", GRAPH, *arguments], environ)
    assert (found.graph, (found.host, found.port)) == (GRAPH, place)


def test_without_a_graph_it_is_misused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        router.parse([], {})
    assert ended.value.code == 2
    assert "--graph-json" in capsys.readouterr().err


def test_a_graph_that_cannot_be_carried_out_is_told_to_whoever_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "termination-log"
    monkeypatch.setenv("INFERPLANE_TERMINATION_LOG", str(log))
    # What it does to its process is not for that of the tests.
    monkeypatch.setattr(router, "log_to_stderr", lambda environ: None)
    monkeypatch.setattr(router, "keep_freed", lambda: None)
    assert router.main(["--graph-json", GRAPH]) == 1
    assert log.read_text() == ("--graph-json: spec.nodes.root.steps[0].nodeName: there is no node 'lost'; have: root")
