"""`inferplane autoscaler simulate`: table, chart, JSON and picture."""

import json
import sys
from pathlib import Path

import pytest
from tests.unit.cli.desk import Desk

from inferplane.cli.simulation import plot
from inferplane.cli.simulation.chart import chart
from inferplane.controlplane.autoscaling.simulate import Frame

SERVICE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello}
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/window: 10s, autoscaling.knative.dev/max-scale: "3"}}
    spec: {containerConcurrency: 2, containers: [{image: example.com/hello}]}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "service.yaml"
    path.write_text(SERVICE)
    return str(path)


def frame(t: float, **changes: float) -> Frame:
    figures = {"rate": 0.0, "in_flight": 0.0, "waiting": 0, "wanted": 0, "replicas": 0, "ready": 0} | changes
    return Frame(t=t, is_panicking=t == 2, through_activator=False, stable=None, panic=None, **figures)  # type: ignore[arg-type]  # counts among figures


def test_what_happened_is_told_in_order_with_the_sum_of_it(
    desk: Desk, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.type("autoscaler", "simulate", "-f", file, "--load", "2:10,20:60,30:0", "--duration", "100ms") == 0
    heading, _, timeline, summary = capsys.readouterr().out.strip().split("\n\n")
    assert heading == (
        "hello: concurrency, 1.4 of 2 a pod · window 10 s · 0 to 3 pods"
        " · a pod starts in 1 s and takes 2 requests at a time, 100 ms each"
    )
    happened = [line.split("   ")[-1].strip() for line in timeline.splitlines()[1:]]
    assert happened[:3] == ["a request wakes it", "scaled up: 0 → 1", "1 pod more ready: 1"]
    assert happened[-2:] == ["no traffic: the activator takes over", "scaled to zero from 1"]
    assert "most pods              3" in summary.splitlines()
    assert "cold starts            1" in summary.splitlines()
    assert desk.said == f"next: inferplane apply -f {file}\n"


def test_programs_get_every_second(desk: Desk, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--load", "0:5", "--until", "20s", "--replicas", "1", "--parallel", "4", "-o", "json")
    assert desk.type("autoscaler", "simulate", "-f", file, *arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["service"] == "hello"
    assert found["settings"]["slots"] == 4
    assert found["settings"]["spec"]["stableWindow"] == 10
    assert [one["t"] for one in found["frames"]] == list(range(1, 21))
    assert found["frames"][-1]["inFlight"] == 0.5
    assert found["summary"]["requests"] == 100
    assert found["summary"]["waited"] == 0


def test_a_load_is_read_from_a_file(desk: Desk, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load = tmp_path / "load.csv"
    load.write_text("seconds,rate\n0,0\n10,10\n")
    arguments = ("--load", str(load), "--ramp", "--until", "10", "-o", "json")
    assert desk.type("autoscaler", "simulate", "-f", file, *arguments) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["requests"] == pytest.approx(50, abs=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--load", "load.csv"), "--load load.csv: no such file"),
        (("--load", "0:1,0:2"), "--load: point 2: expected a time after 0, got 0"),
        (("--load", "0:1", "--plot", "out.txt"), "--plot out.txt: expected a file that ends in .png, .svg, .pdf"),
        (("--load", "0:1", "--plot", "nowhere/out.png"), "--plot nowhere/out.png: there is no directory nowhere"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_done(
    desk: Desk, file: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    assert desk.type("autoscaler", "simulate", "-f", file, *arguments) == 1
    assert words in capsys.readouterr().err


def test_a_picture_without_matplotlib_says_what_to_install(
    desk: Desk, file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plot, "find_spec", lambda _: None)
    assert desk.type("autoscaler", "simulate", "-f", file, "--load", "0:1", "--plot", "out.png") == 1
    assert capsys.readouterr().err == "--plot needs matplotlib: pip install 'inferplane[plot]'\n"


def test_a_picture_is_drawn(desk: Desk, file: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    picture = tmp_path / "out.svg"
    assert desk.type("autoscaler", "simulate", "-f", file, "--load", "0:100,20:0", "--plot", str(picture)) == 0
    assert f"drawn: {picture}" in desk.said
    drawn = picture.read_text()
    assert all(f"<!-- {word} -->" in drawn for word in ("hello", "ready", "panic", "waiting", "cold start"))
    assert "<!-- max-scale (3) -->" in drawn


def test_a_real_run_is_drawn_beside_the_simulated_one(
    desk: Desk, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    picture, real = tmp_path / "out.svg", tmp_path / "real.json"
    real.write_text(json.dumps({"frames": [{"t": t, "rate": 5, "ready": 1} for t in range(1, 30)]}))
    arguments = ("--load", "0:100,20:0", "--plot", str(picture), "--beside", str(real))
    assert desk.type("autoscaler", "simulate", "-f", file, *arguments) == 0
    drawn = picture.read_text()
    assert "<!-- simulated -->" in drawn
    assert "<!-- measured -->" in drawn
    real.write_text('{"frames": [{"rate": 5}]}')
    assert desk.type("autoscaler", "simulate", "-f", file, *arguments) == 1
    assert f"{real}: Object missing required field `t` - at `$.frames[0]`" in capsys.readouterr().err


def test_nothing_of_matplotlib_is_imported_without_a_picture(
    desk: Desk, file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert desk.type("autoscaler", "simulate", "-f", file, "--load", "0:1,2:0", "--until", "5") == 0
    assert "most pods" in capsys.readouterr().out


def test_a_chart_has_a_bar_for_whatever_is_there() -> None:
    lines = chart([frame(1, rate=100), frame(2, rate=1, ready=3), frame(3)], 80)
    assert lines[0] == "req/s      █▁   100"
    assert lines[4] == "ready       █   3"
    assert lines[5] == "panic       ━"
    assert lines[3] == "wanted          0"


def test_a_narrow_chart_shows_the_peak_of_its_seconds() -> None:
    frames = [frame(t, rate=8 if t == 35 else 4) for t in range(1, 41)]
    assert chart(frames, 33)[0] == "req/s      ▄▄▄▄▄▄▄▄█▄  8"
