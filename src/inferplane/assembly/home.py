"""Where a platform keeps what it needs: everything below `$INFERPLANE_HOME`, so several run side by side."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# sun_path holds 108 bytes including the final NUL (unix(7)); the longest socket name (a keeper's) has 41.
_LONGEST_RUN_PATH = 60


@dataclass(frozen=True, slots=True)
class Home:
    """The directory of one platform. `root` is absolute. Paths are only computed here; `make` creates them."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / "state.db"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def platform_file(self) -> Path:
        return self.root / "platform.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pods(self) -> Path:
        return self.root / "pods"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def environments(self) -> Path:
        return self.root / "environments"

    @property
    def run(self) -> Path:
        """For sockets. Outside the home when the home's path is too long for a socket's address."""
        inside = self.root / "run"
        if len(os.fsencode(inside)) <= _LONGEST_RUN_PATH:
            return inside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"inferplane-{os.getuid()}-{digest}"

    @property
    def xds_socket(self) -> Path:
        return self.run / "xds.sock"

    @property
    def envoy_admin_socket(self) -> Path:
        return self.run / "envoy-admin.sock"

    @property
    def node_socket(self) -> Path:
        return self.run / "node.sock"

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    def make(self) -> None:
        """Creates the directories; only their owner may enter. Raises OSError when that can't be."""
        for directory in (self.root, self.run, self.pki, self.logs, self.pods, self.volumes, self.cache):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.run.stat().st_uid != os.getuid():
            raise PermissionError(f"{self.run} belongs to another user: remove it or choose another INFERPLANE_HOME")


def home_from(environ: Mapping[str, str]) -> Home:
    """`$INFERPLANE_HOME`, else `$XDG_DATA_HOME/inferplane`, else `~/.local/share/inferplane`."""
    if chosen := environ.get("INFERPLANE_HOME"):
        return Home(Path(chosen).expanduser().absolute())
    data = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Home(Path(data).expanduser().absolute() / "inferplane")
