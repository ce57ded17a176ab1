import threading
from pathlib import Path

from inferplane.controlplane.node.directories import PodDirectory, all_pods


def filled(root: Path) -> PodDirectory:
    (root / "containers" / "main").mkdir(parents=True)
    (root / "containers" / "main" / "0.log").write_text("x")
    return PodDirectory(root)


def test_a_removed_directory_is_gone_and_may_be_removed_again(tmp_path: Path) -> None:
    pod = filled(tmp_path / "uid")
    pod.remove()
    pod.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_node_had_begun_to_remove_goes_with_it(tmp_path: Path) -> None:
    filled(tmp_path / ".uid.removed")
    filled(tmp_path / "uid").remove()
    assert all_pods(tmp_path) == []


def test_a_writer_that_goes_on_puts_nothing_back(tmp_path: Path) -> None:
    for number in range(20):
        pod = filled(tmp_path / f"uid-{number}")
        record, begun = pod.root / "containers" / "main" / "0.json", threading.Event()

        def write(record: Path = record, begun: threading.Event = begun) -> None:
            while True:
                try:
                    record.write_text("{}")
                except FileNotFoundError:
                    return
                begun.set()

        writer = threading.Thread(target=write)
        writer.start()
        begun.wait()
        pod.remove()
        writer.join()
    assert list(tmp_path.iterdir()) == []
