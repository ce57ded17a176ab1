"""Where uv is, and what it is told: the user's environment and pip's configuration files."""

import configparser
import shutil
from collections.abc import Mapping
from pathlib import Path

from inferplane.controlplane.node.agent import Installer
from inferplane.controlplane.node.environments.settings import uv_environment


def found(environ: Mapping[str, str]) -> Installer:
    return Installer(_uv(environ), uv_environment(environ, pip_config(environ)))


def pip_config(environ: Mapping[str, str]) -> dict[str, str]:
    """Options of `[global]` and `[install]` in pip's configuration files, the user's over the machine's.

    A file that can't be read as one is pip's to complain about.
    """
    options: dict[str, str] = {}
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                options |= {name.replace("_", "-"): value for name, value in parser.items(section)}
    return options


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    chosen = environ.get("PIP_CONFIG_FILE", "")
    home = Path(environ.get("HOME", "/nonexistent"))
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", config / "pip" / "pip.conf"]
    return [] if chosen == "/dev/null" else [*files, *([Path(chosen)] if chosen else [])]


def _uv(environ: Mapping[str, str]) -> Path | None:
    """The one of our own environment, else the one on the PATH."""
    try:
        from uv import find_uv_bin
    except ImportError:
        found = shutil.which("uv", path=environ.get("PATH"))
        return Path(found) if found else None
    return Path(find_uv_bin())
