"""Where a pod's things are: `pods/UID/{pod.json, containers/NAME/{N.json,N.log,root/…}, volumes/NAME}`."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inferplane.controlplane.node import procfs, runs


class Lodging(msgspec.Struct, frozen=True, kw_only=True):
    """What a restarted node needs to know of a pod before it has heard from the API server. `since`: epoch seconds."""

    namespace: str
    name: str
    uid: str
    address: str
    since: float


@dataclass(frozen=True, slots=True)
class PodDirectory:
    root: Path

    def container(self, name: str) -> Path:
        return self.root / "containers" / name

    def volume(self, name: str) -> Path:
        return self.root / "volumes" / name

    def container_names(self) -> list[str]:
        directory = self.root / "containers"
        return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []

    def termination_log(self, container: str, attempt: int) -> Path:
        return self.container(container) / f"{attempt}.termination"

    def prepare(self, container: str) -> Path:
        """The container's `root`, below which its mounts appear and in which its process starts."""
        root = self.container(container) / "root"
        root.mkdir(parents=True, exist_ok=True, mode=0o755)
        return root

    def write(self, lodging: Lodging) -> None:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self.root / "pod.new"
        draft.write_bytes(msgspec.json.encode(lodging))
        draft.replace(self.root / "pod.json")

    def read(self) -> Lodging | None:
        """None for a directory that was not finished."""
        try:
            return msgspec.json.decode((self.root / "pod.json").read_bytes(), type=Lodging)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def kill_all(self) -> None:
        """SIGKILL to whatever the records say still lives here."""
        for name in self.container_names():
            for run in runs.history(self.container(name)):
                if run.exit is None and run.process is not None:
                    procfs.kill_session(run.process)

    def remove_volumes(self) -> None:
        """What the pod's volumes hold, for a pod that has ended for good."""
        shutil.rmtree(self.root / "volumes", ignore_errors=True)

    def remove(self) -> None:
        """Out of its place in one step first: a keeper that is just writing a run's record would put a file back into a
        directory that is being emptied, and the directory would stay."""
        leaving = self.root.with_name(f".{self.root.name}.removed")
        shutil.rmtree(leaving, ignore_errors=True)  # of a node that was killed right here
        try:
            self.root.rename(leaving)
        except FileNotFoundError:
            return
        shutil.rmtree(leaving, ignore_errors=True)


def all_pods(pods: Path) -> list[PodDirectory]:
    return [PodDirectory(path) for path in sorted(pods.iterdir()) if path.is_dir()]
