"""What uv is told about package indexes."""

from pathlib import Path

from inferplane.assembly.installer import pip_config
from inferplane.controlplane.node.environments.settings import uv_environment


def test_uvs_own_settings_are_passed_but_for_those_that_lead_it_elsewhere() -> None:
    found = uv_environment({"UV_DEFAULT_INDEX": "i", "UV_PYTHON": "3.9", "HOME": "/h", "SECRET": "s"}, {})
    assert found == {"UV_DEFAULT_INDEX": "i", "HOME": "/h"}


def test_pips_settings_are_translated() -> None:
    environ = {"PIP_INDEX_URL": "a", "PIP_EXTRA_INDEX_URL": "b c", "PIP_FIND_LINKS": "/x /y", "PIP_CERT": "/ca"}
    assert uv_environment(environ, {}) == {
        "UV_DEFAULT_INDEX": "a",
        "UV_INDEX": "b c",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/x,/y",
        "SSL_CERT_FILE": "/ca",
    }


def test_uvs_own_setting_wins_over_pips_and_the_environment_over_the_file() -> None:
    assert uv_environment({"UV_INDEX_URL": "uv", "PIP_INDEX_URL": "pip"}, {}) == {"UV_INDEX_URL": "uv"}
    assert uv_environment({"PIP_INDEX_URL": "environ"}, {"index-url": "file"}) == {"UV_DEFAULT_INDEX": "environ"}
    assert uv_environment({}, {"index-url": "file"}) == {"UV_DEFAULT_INDEX": "file"}


def test_pips_files_are_read_and_one_that_is_none_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text("[global]\nindex-url = mine\n[install]\nfind-links = /a\n  /b\n")
    chosen = tmp_path / "chosen"
    chosen.write_text("[global]\nindex_url = chosen\n")
    options = pip_config({"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(chosen)})
    assert (options["index-url"], options["find-links"].split()) == ("chosen", ["/a", "/b"])
    chosen.write_text("index-url = no section\n")
    assert pip_config({"HOME": str(tmp_path), "PIP_CONFIG_FILE": str(chosen)})["index-url"] == "mine"
    assert pip_config({"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"}) == {}
