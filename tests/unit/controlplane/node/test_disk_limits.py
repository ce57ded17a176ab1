"""What is on the disk, and whose limit it is."""

from pathlib import Path

import msgspec

from inferplane.controlplane.node.directories import PodDirectory
from inferplane.controlplane.node.disk_limits import bounds, limited, size
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import Pod

MIB = 2**20


def pod(**spec: object) -> Pod:
    return msgspec.convert({"spec": spec}, Pod)


def test_a_directory_is_as_large_as_its_files_and_links_lead_nowhere(tmp_path: Path) -> None:
    model, volume = tmp_path / "model", tmp_path / "volume"
    (volume / "deep").mkdir(parents=True)
    model.write_bytes(bytes(8 * MIB))
    (volume / "link").symlink_to(model)
    (volume / "a").write_bytes(b"x" * MIB)
    (volume / "deep" / "b").write_bytes(b"x" * MIB)
    assert 2 * MIB <= size(volume) < 3 * MIB
    assert size(tmp_path / "nowhere") == 0


def test_only_what_has_a_limit_is_bounded_and_says_it_in_a_kubelets_words(tmp_path: Path) -> None:
    container: JsonObject = {"name": "c", "resources": {"limits": {"ephemeral-storage": "1Gi"}}}
    one = pod(
        containers=[container, {"name": "free"}],
        volumes=[{"name": "v", "emptyDir": {"sizeLimit": "500Mi"}}, {"name": "w", "emptyDir": {}}],
    )
    said: list[str] = []
    directory = PodDirectory(tmp_path)
    found = [*bounds(one, directory, said.append)]
    assert [(bound.directory, bound.limit) for bound in found] == [
        (directory.volume("v"), 500 * MIB),
        (directory.container("c"), 1024 * MIB),
    ]
    for bound in found:
        bound.exceeded()
    assert said == [
        'Usage of EmptyDir volume "v" exceeds the limit "500Mi". ',
        'Container c exceeded its local ephemeral storage limit "1Gi". ',
    ]


def test_most_pods_have_no_limit() -> None:
    assert not limited(pod(containers=[{"name": "c"}], volumes=[{"name": "v", "emptyDir": {"sizeLimit": "0"}}]))
    assert limited(pod(volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1k"}}]))
