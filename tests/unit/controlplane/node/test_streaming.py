"""Words of a command that is run beside a container: its paths lead to the volumes."""

from pathlib import Path

import pytest

from inferplane.controlplane.node.hosts import Hosts
from inferplane.controlplane.node.images import Recipe
from inferplane.controlplane.node.keepers import KeeperSpec
from inferplane.controlplane.node.launcher import Setting
from inferplane.controlplane.node.streaming import located

ROOT = Path("/pods/1/root")
MODELS = f"{ROOT}/mnt/models"
SETTING = Setting(Recipe(KeeperSpec("plain"), ()), {"HOME": "/h"}, {"/mnt/models": MODELS}, ROOT, Hosts())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ls", "/mnt/models/a"], ["ls", f"{MODELS}/a"]),
        (["sh", "-c", "cat /mnt/models/a > /tmp/b"], ["sh", "-c", f"cat {MODELS}/a > /tmp/b"]),
        (["echo", "$(HOME)"], ["echo", "$(HOME)"]),
        (["tar", "-xmf", "-", "-C", "/mnt/models"], ["tar", "-xmf", "-", "-C", MODELS]),
        (["tar", "cf", "-", "/mnt/models/a"], ["tar", "cf", "-", "-C", str(ROOT), "mnt/models/a"]),
        (["tar", "cf", "-", "/mnt/models"], ["tar", "cf", "-", "-C", str(ROOT), "mnt/models/."]),
        (["tar", "cf", "-", "/etc/hosts"], ["tar", "cf", "-", "/etc/hosts"]),
    ],
    ids=["a path", "in a script", "variables stay", "cp there", "cp back", "a whole mount", "of the machine"],
)
def test_words_lead_where_the_container_s_paths_are(words: list[str], expected: list[str]) -> None:
    assert located(words, SETTING) == expected
