import stat
from pathlib import Path

import msgspec
import pytest
from tests.fakes.api import MemoryApi
from tests.fakes.clock import FakeClock

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.node.directories import PodDirectory
from inferplane.controlplane.node.environment import ConfigError, Sources
from inferplane.controlplane.node.lookups import Lookups
from inferplane.controlplane.node.tokens import Tokens
from inferplane.controlplane.node.volumes import MountError, Volumes, mount
from inferplane.kernel.json import Json
from inferplane.resources.core import Container, Pod, VolumeMount


class Disk:
    def __init__(self, root: Path) -> None:
        self.api = MemoryApi()
        self.clock = FakeClock()
        self.tokens = Tokens(self.api, self.clock)
        self.directory = PodDirectory(root / "pod")
        self.claims = root / "claims"

    async def prepare(self, **source: Json) -> Path:
        """Where a volume of that source is."""
        metadata: Json = {"name": "p", "namespace": "ml", "labels": {"app": "iris"}}
        spec: Json = {"volumes": [{"name": "v", **source}]}
        pod = msgspec.convert({"metadata": metadata, "spec": spec}, Pod)
        volumes = Volumes(Lookups(self.api), self.claims, self.tokens)
        return (await volumes.prepare(pod, ["v"], self.directory, Sources()))["v"]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def files(directory: Path) -> dict[str, bytes]:
    found = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


async def test_a_config_map_becomes_files_of_its_keys(disk: Disk) -> None:
    body: dict[str, Json] = {"metadata": {"name": "c"}, "data": {"a": "1"}, "binaryData": {"b": "AP8="}}
    disk.api.add(kinds.CONFIG_MAP, body, "ml")
    assert files(await disk.prepare(configMap={"name": "c"})) == {"a": b"1", "b": b"\x00\xff"}


async def test_chosen_keys_of_a_secret_have_their_path_and_mode(disk: Disk) -> None:
    disk.api.add(kinds.SECRET, {"metadata": {"name": "s"}, "data": {"key": "cHN0", "other": "eA=="}}, "ml")
    items: Json = [{"key": "key", "path": "deep/id", "mode": 0o400}]
    place = await disk.prepare(secret={"secretName": "s", "items": items})
    assert files(place) == {"deep/id": b"pst"}
    assert (place / "deep/id").stat().st_mode & 0o777 == 0o400


async def test_missing_objects_are_named_unless_optional(disk: Disk) -> None:
    with pytest.raises(MountError, match='configmap "c" not found'):
        await disk.prepare(configMap={"name": "c"})
    assert files(await disk.prepare(configMap={"name": "c", "optional": True})) == {}
    with pytest.raises(MountError, match='persistentvolumeclaim "m" not found'):
        await disk.prepare(persistentVolumeClaim={"claimName": "m"})


async def test_a_claim_is_a_directory_of_the_home_or_the_path_of_its_volume(disk: Disk, tmp_path: Path) -> None:
    disk.api.add(kinds.PERSISTENT_VOLUME_CLAIM, {"metadata": {"name": "m"}}, "ml")
    assert await disk.prepare(persistentVolumeClaim={"claimName": "m"}) == disk.claims / "ml" / "m"
    (tmp_path / "pv").mkdir()
    bound: dict[str, Json] = {"metadata": {"name": "pv"}, "spec": {"hostPath": {"path": str(tmp_path / "pv")}}}
    disk.api.add(kinds.PERSISTENT_VOLUME, bound)
    disk.api.add(kinds.PERSISTENT_VOLUME_CLAIM, {"metadata": {"name": "m"}, "spec": {"volumeName": "pv"}}, "ml")
    assert await disk.prepare(persistentVolumeClaim={"claimName": "m"}) == tmp_path / "pv"


async def test_a_host_path_that_must_exist_and_does_not_is_refused(disk: Disk) -> None:
    with pytest.raises(MountError, match="/no/such/place does not exist"):
        await disk.prepare(hostPath={"path": "/no/such/place", "type": "Directory"})


async def test_the_downward_api_writes_fields(disk: Disk) -> None:
    items: Json = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    assert files(await disk.prepare(downwardAPI={"items": items})) == {"labels": b'app="iris"'}


async def test_a_volume_of_an_unknown_type_is_refused(disk: Disk) -> None:
    with pytest.raises(MountError, match="type that this node does not support"):
        await disk.prepare(nfs={"server": "x"})


def test_mounts_are_links_below_the_root_and_nested_ones_go_into_the_outer_volume(tmp_path: Path) -> None:
    outer, inner, root = (tmp_path / name for name in ("outer", "inner", "root"))
    for directory in (outer, inner, root):
        directory.mkdir()
    mounts = [
        VolumeMount(name="inner", mount_path="/mnt/models/"),
        VolumeMount(name="outer", mount_path="/mnt"),
        VolumeMount(name="inner", mount_path="/data", sub_path="$(WHO)/x"),
    ]
    container = Container(name="c", volume_mounts=mounts)
    for _ in range(2):  # a restarted container finds its mounts as they were
        places = mount(container, {"outer": outer, "inner": inner}, root, {"WHO": "me"})
    assert places == {
        "/mnt/models": str(root / "mnt/models"),
        "/mnt": str(root / "mnt"),
        "/data": str(root / "data"),
    }
    assert (root / "mnt/models").resolve() == inner
    assert (root / "data").resolve() == inner / "me/x"


@pytest.mark.parametrize("path", ["../up", "/etc"])
def test_a_sub_path_may_not_leave_its_volume(tmp_path: Path, path: str) -> None:
    container = Container(name="c", volume_mounts=[VolumeMount(name="v", mount_path="/m", sub_path=path)])
    with pytest.raises(MountError, match="must stay below its volume"):
        mount(container, {"v": tmp_path}, tmp_path / "root", {})


TOKEN: Json = {"sources": [{"serviceAccountToken": {"path": "token", "audience": "me", "expirationSeconds": 1000}}]}


async def test_a_token_of_the_service_account_is_asked_for_the_pod_and_is_its_owners_alone(disk: Disk) -> None:
    disk.api.add(kinds.SERVICE_ACCOUNT, {"metadata": {"name": "default"}}, "ml")
    place = await disk.prepare(projected=TOKEN)
    write = disk.api.writes[-1]
    assert files(place) == {"token": f"token {len(disk.api.writes)} of default".encode()}
    assert stat.S_IMODE((place / "token").stat().st_mode) == 0o600
    assert (write.name, write.subresource) == ("default", "token")
    assert isinstance(write.body, dict)
    assert write.body["spec"] == {
        "expirationSeconds": 1000,
        "audiences": ["me"],
        "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": ""},
    }


async def test_a_token_is_renewed_when_four_fifths_of_its_time_have_passed(disk: Disk) -> None:
    disk.api.add(kinds.SERVICE_ACCOUNT, {"metadata": {"name": "default"}}, "ml")
    file = await disk.prepare(projected=TOKEN) / "token"
    first = file.read_text()
    disk.clock.advance(799)
    await disk.tokens.renew()
    assert file.read_text() == first
    disk.clock.advance(1)
    await disk.tokens.renew()
    second = file.read_text()
    assert second != first
    file.unlink()
    disk.clock.advance(1000)
    await disk.tokens.renew()
    assert not file.exists()


async def test_a_token_that_cannot_be_renewed_now_stays_and_is_asked_for_again(disk: Disk) -> None:
    disk.api.add(kinds.SERVICE_ACCOUNT, {"metadata": {"name": "default"}}, "ml")
    file = await disk.prepare(projected=TOKEN) / "token"
    first = file.read_text()
    await disk.api.delete(kinds.SERVICE_ACCOUNT, "default", "ml")
    disk.clock.advance(900)
    await disk.tokens.renew()
    assert file.read_text() == first
    disk.api.add(kinds.SERVICE_ACCOUNT, {"metadata": {"name": "default"}}, "ml")
    await disk.tokens.renew()
    assert file.read_text() != first


async def test_a_service_account_that_there_is_not_gives_no_token(disk: Disk) -> None:
    with pytest.raises(ConfigError, match="failed to fetch token"):
        await disk.prepare(projected=TOKEN)
