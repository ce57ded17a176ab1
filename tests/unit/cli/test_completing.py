"""What the shell is offered, without a command being run."""

import pytest
from click.shell_completion import ShellComplete
from tests.unit.cli.desk import Desk

from inferplane.cli import completing
from inferplane.cli.main import COMMANDS, COMPLETE_VARIABLE, NAME, cli
from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE, NAMESPACE, POD


def offered(desk: Desk, *words: str) -> list[str]:
    """For the last of `words`."""
    *before, typed = words
    found = ShellComplete(cli, {"obj": desk.session()}, NAME, COMPLETE_VARIABLE).get_completions(before, typed)
    return [one.value for one in found]


@pytest.fixture
def served(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    # How long a user waits for a word is not what is tested, on a machine that may be busy.
    monkeypatch.setattr(completing, "SECONDS", 60.0)
    desk.server.add(INFERENCE_SERVICE, {"metadata": {"name": "iris"}})
    desk.server.add(INFERENCE_SERVICE, {"metadata": {"name": "wine", "namespace": "ml"}}, "ml")
    desk.server.add(POD, {"metadata": {"name": "iris-predictor-1"}})
    desk.server.add(NAMESPACE, {"metadata": {"name": "ml"}})
    return desk


def test_commands_are_offered_without_importing_them(desk: Desk) -> None:
    assert offered(desk, "") == list(COMMANDS)
    assert offered(desk, "va") == ["validate"]


def test_options_of_a_command_are_offered(desk: Desk) -> None:
    assert "--mode" in offered(desk, "render", "--")
    assert "--kubeconfig" in offered(desk, "--k")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("why", ""), ["iris"]),
        (("why", "-n", "ml", ""), ["wine"]),
        (("predict", "x"), []),
        (("get", "htt"), ["httproutes"]),
        (("get", "pods", ""), ["iris-predictor-1"]),
        (("delete", "isvc", "ir"), ["iris"]),
        (("get", "nonsense", ""), []),
        (("get", "isvc", "-n", "m"), ["ml"]),
        (("bench", "i"), ["iris"]),
    ],
)
def test_names_come_from_the_server(served: Desk, words: tuple[str, ...], names: list[str]) -> None:
    assert offered(served, *words) == names


def test_without_a_platform_nothing_is_offered(desk: Desk) -> None:
    desk.platform = None
    assert offered(desk, "why", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_names_our_variable(desk: Desk, shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.type("completion", shell) == 0
    assert COMPLETE_VARIABLE in capsys.readouterr().out
