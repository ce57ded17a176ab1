"""Environments of the peers: made once with uv (or venv and pip), then used again."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

KSERVE = ("kserve>=0.15", "scikit-learn", "joblib")


def environment(directory: Path, requirements: tuple[str, ...]) -> Path:
    """The Python of an environment that has `requirements`."""
    python = directory / "bin" / "python"
    made_for = directory / "requirements.txt"
    if python.exists() and made_for.exists() and made_for.read_text().split("\n") == list(requirements):
        return python
    print(f"installing {', '.join(requirements)} into {directory} …", flush=True)
    uv = shutil.which("uv")
    if uv:
        _run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(directory))
        _run(uv, "pip", "install", "--quiet", "--python", str(python), *requirements)
    else:
        venv.create(directory, with_pip=True)
        _run(str(python), "-m", "pip", "install", "--quiet", *requirements)
    made_for.write_text("\n".join(requirements))
    return python


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
