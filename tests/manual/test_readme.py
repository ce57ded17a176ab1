"""What the README and the pages of the manual have a reader do is done here, on one platform; links lead somewhere.

docs/own-model.md, docs/rest.md and docs/reference.md have tests of their own.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from tests.e2e.whole import REPOSITORY, Whole, whole_platform
from tests.manual.blocks import blocks

from inferplane.cli.main import COMMANDS

PAGES = sorted(
    page.relative_to(REPOSITORY)
    for page in [
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/**/*.md"),
        *REPOSITORY.glob("examples/**/*.md"),
        *REPOSITORY.glob("bench/*.md"),
    ]
)


def text(page: Path | str) -> str:
    return (REPOSITORY / page).read_text()


# What can be checked without running anything.


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(words.replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text(page), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        led = (REPOSITORY / page).parent / file if file else REPOSITORY / page
        assert led.exists(), target
        assert not anchor or anchor in anchors(led), target


def test_every_page_of_the_manual_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)", text("README.md")))
    assert {str(page) for page in PAGES if page.parent == Path("docs")} <= linked


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_file_that_is_mentioned_is_there(page: Path) -> None:
    named = re.findall(r"(?<![\w/.$-])((?:docs|src|tests|bench|examples|scripts)/[\w./-]*\w)", text(page))
    # An example's model is made by its train.py; it is not a file of the repository.
    missing = [name for name in named if "…" not in name and not (REPOSITORY / name).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_target_of_make_is_in_the_makefile(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    lines = re.findall(r"^make (\w+)|`make (\w+)", text(page), re.MULTILINE)
    assert {one or other for one, other in lines} <= targets


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_block_of_yaml_json_or_python_can_be_read(page: Path) -> None:
    for block in blocks(REPOSITORY / page):
        if block.language == "yaml":
            list(yaml.safe_load_all(block.text))
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "python":
            compile(block.text, f"{page}:{block.line}", "exec")


# The command line.


def commands() -> dict[str, str]:
    """Command → its usage, from the first table of docs/cli.md."""
    rows = re.findall(r"^\| `([\w-]+)((?:[^`])*)` \|", text("docs/cli.md").split("\n## ", 1)[0], re.MULTILINE)
    return dict(rows)


def test_the_manual_has_every_command_and_no_other() -> None:
    # `version` is for those who look for it; `--version` says the same.
    assert set(commands()) == set(COMMANDS) - {"version"}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("serve", "version")])
def test_a_command_has_the_options_that_the_manual_gives_it(name: str) -> None:
    module = __import__(f"inferplane.cli.commands.{COMMANDS[name][0]}", fromlist=[name])
    attribute = name.replace("-", "_")
    command = getattr(module, attribute, None) or getattr(module, f"{attribute}_")
    assert isinstance(command, click.Command)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", commands()[name])) <= known


# What is run.


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("manual") / "home") as started:
        yield started


def follow(platform: Whole, lines: str) -> list[str]:
    """Runs the lines in one shell in the repository, as a reader with this platform would; what each printed."""
    steps = [re.sub(r"\s+-f$", "", step) for step in (re.sub(r"\s+# .*", "", line) for line in lines.splitlines())]
    # The platform is there already, and is ended by the test.
    steps = [step for step in steps if step and not re.fullmatch(r"inferplane (up.*|down)", step)]
    mark = "--- next"
    script = f"set -e; PATH={Path(sys.executable).parent}:$PATH\n" + f"\necho '{mark}'\n".join(steps)
    return platform.run("sh", "-c", script, timeout=60).split(f"{mark}\n")


def expected(printed: str, answers: str) -> None:
    """Each answer is what the page shows; fields that the page leaves out (…) are not compared."""
    found = [json.loads(line) for line in re.findall(r"^{.*}$", printed, re.MULTILINE)]
    shown = [json.loads(re.sub(r"…,? ?", "", line)) for line in answers.strip().splitlines()]
    assert len(found) == len(shown) > 0
    for answer, told in zip(found, shown, strict=True):
        assert subset(told, answer), (told, answer)


def subset(told: object, found: object) -> bool:
    if isinstance(told, dict) and isinstance(found, dict):
        return all(key in found and subset(value, found[key]) for key, value in told.items())
    if isinstance(told, list) and isinstance(found, list):
        return len(told) == len(found) and all(map(subset, told, found))
    return told == found


@pytest.mark.e2e
@pytest.mark.parametrize("example", ["01-sklearn-iris", "02-xgboost-iris"])
def test_an_example_does_what_its_readme_says(platform: Whole, example: str) -> None:
    page = text(f"examples/{example}/README.md")
    (script,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    (answers,) = re.findall(r"```\n({.*?)```", page, re.DOTALL)
    expected("".join(follow(platform, script)), answers)


@pytest.mark.e2e
def test_a_canary_takes_the_shares_that_its_readme_says(platform: Whole) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", text("examples/10-canary/README.md"), re.DOTALL)
    _, _, _, shown, half, promoted, predicted, _ = follow(platform, script)
    shares = re.findall(r"^predictor +(\S+) +(\d+) %", shown + half, re.MULTILINE)
    names = ["petals-predictor-00002", "petals-predictor-00001"]
    assert shares == [*zip(names, ["20", "80"], strict=True), *zip(names, ["50", "50"], strict=True)]
    assert re.search(r"petals-predictor-00002 +100 %", promoted)
    assert json.loads(predicted) == {"predictions": [1]}


@pytest.mark.e2e
def test_a_replay_finds_what_its_readme_says(platform: Whole, tmp_path: Path) -> None:
    page = text("examples/11-replay/README.md")
    (shown,) = re.findall(r"```\n(  answers.*?)```", page, re.DOTALL)
    scripts = "".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    mine = scripts.replace("http://localhost:8080", platform.gateway).replace("/tmp/", f"{tmp_path}/")
    *_, same, different, _, asked, _, _ = follow(platform, mine)
    assert "300  100.00%  the same" in same
    assert all(line in different for line in shown.splitlines()), different
    assert "asked 300 times" in asked
    assert "Answers differ" in (tmp_path / "diff.html").read_text()
    assert (tmp_path / "shadow.jsonl").stat().st_size > 0


@pytest.fixture(scope="module")
def iris(platform: Whole) -> None:
    """What `make run` leaves behind when it is not ended, and the service `iris` of the other pages."""
    platform.train()
    platform.inferplane("apply", "-f", REPOSITORY / "examples" / "01-sklearn-iris" / "isvc.yaml")
    one = text("examples/01-sklearn-iris/isvc.yaml").replace("name: sklearn-iris", "name: iris")
    platform.run(Path(sys.executable).with_name("inferplane"), "apply", "-f", "-", stdin=one)


@pytest.mark.e2e
@pytest.mark.kubectl
def test_what_the_readme_has_you_type_in_another_terminal(platform: Whole, iris: None) -> None:
    (block,) = re.findall(r"```\n(export .*?)```", text("README.md"), re.DOTALL)
    _, services, described, why, logs = follow(platform, block)
    assert re.search(r"^sklearn-iris\s+http\S+\s+True", services, re.MULTILINE)
    assert re.search(r"^Kind:\s+InferenceService$", described, re.MULTILINE)
    assert "sklearn-iris" in why
    assert "ready model=sklearn-iris" in logs


@pytest.mark.e2e
def test_the_everyday_client_does_what_its_manual_shows(platform: Whole, iris: None) -> None:
    first = next(block for block in blocks(REPOSITORY / "docs" / "clients.md") if block.language == "python")
    # `iris.default.localhost` and the model's name are those of the page.
    script = first.text.replace("http://localhost:8080", platform.gateway)
    platform.run(sys.executable, "-c", script)


@pytest.mark.e2e
def test_a_service_is_load_tested_as_the_manual_says(platform: Whole, iris: None) -> None:
    found = json.loads(
        platform.inferplane("bench", "iris", "-c", "2", "-t", "500ms", "--warmup", "100ms", "-o", "json")
    )
    (row,) = re.findall(r"^\| `-o json` \|(.*)\|$", text("docs/cli.md"), re.MULTILINE)
    told = re.sub(r"\([^)]*\)", "", row)
    assert set(re.findall(r"`(\w+)`", told)) <= set(found)
    assert found["requestsPerSecond"] > 0


HEAD = "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata:\n  name: wrong\nspec:\n  predictor:\n"
WRONG = (
    HEAD + "    minReplicas: 1\n    model:\n      modelFormt: {name: sklearn}\n",
    HEAD + '    minReplicas: "one"\n    model:\n      modelFormat: {name: sklearn}\n',
    HEAD
    + "    minReplicas: 1\n    model:\n      modelFormat:\n        name: sklearn\n"
    + "      protocolVersion: v2\n    model: {}\n",
)


@pytest.mark.e2e
def test_mistakes_in_files_are_told_as_the_manual_says(platform: Whole, tmp_path: Path) -> None:
    (block,) = re.findall(r"```\n(isvc\.yaml:.*?)```", text("docs/cli.md"), re.DOTALL)
    for wrong, told in zip(WRONG, block.splitlines(), strict=True):
        (tmp_path / "isvc.yaml").write_text(wrong)
        done = subprocess.run(
            [Path(sys.executable).with_name("inferplane"), "apply", "-f", "isvc.yaml"],
            cwd=tmp_path,
            env=platform.environ,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 1
        assert told in done.stderr
