"""The machine and the versions of a run."""

import datetime
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

from bench.results import Setting


def here(versions: Mapping[str, str], command: str, note: str = "") -> Setting:
    now = datetime.datetime.now(datetime.UTC)
    return Setting(now.strftime("%-d %B %Y, %H:%M UTC"), _machine(), {**versions, **_tools()}, command, note)


def commit() -> str:
    """Of the project, when it is a checkout; the tree may have changes on top."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"


def _machine() -> dict[str, str]:
    memory = psutil.virtual_memory().total / 2**30
    return {
        "machine": f"{os.cpu_count()} × {_processor()}, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        "Python": platform.python_version(),
    }


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except FileNotFoundError:
        found = None
    return found[1] if found else platform.machine()


def _tools() -> dict[str, str]:
    return {name: _version(name, flag) for name, flag in (("wrk", "-v"), ("h2load", "--version"))}


def _version(tool: str, flag: str) -> str:
    try:
        done = subprocess.run([tool, flag], capture_output=True, text=True, check=False)  # wrk -v exits 1
    except FileNotFoundError:
        return "not installed"
    found = re.search(r"\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
    return found[0] if found else "unknown"
