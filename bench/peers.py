"""The peers' environments: one for each under `.venv-peers`, made once with uv, then used again.

Versions are pinned by `bench/constraints/NAME.txt`. A peer that cannot be installed is Missing, with the reason.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REQUIREMENTS: Mapping[str, tuple[str, ...]] = {
    "kserve": ("kserve", "scikit-learn", "joblib"),
    "mlserver": ("mlserver", "mlserver-sklearn", "uvloop<0.22"),  # its event loop policy is refused by later ones
    "mosec": ("mosec", "scikit-learn", "joblib"),
    "triton": ("nvidia-pytriton", "scikit-learn", "joblib"),
}

LEFT_OUT: Mapping[str, str] = {
    "LitServe, BentoML, Ray Serve": "2.4 to 12 times slower than mosec when the budgets were set; no budget names them",
    "TorchServe": "needs Java; no budget names it",
}

_DISTRIBUTIONS = {"triton": "nvidia-pytriton"}
_CONSTRAINTS = Path(__file__).with_name("constraints")


class Missing(Exception):
    """Why this machine does not have the peer."""


def environment(name: str, root: Path = Path(".venv-peers")) -> Path:
    """The Python of the peer's environment."""
    python = root / name / "bin" / "python"
    stamp = root / name / "bench.txt"
    constraints = _CONSTRAINTS / f"{name}.txt"
    wanted = "\n".join([*REQUIREMENTS[name], constraints.read_text()])
    if not (python.exists() and stamp.exists() and stamp.read_text() == wanted):
        print(f"installing {name} into {root / name}", file=sys.stderr, flush=True)
        _install(python, REQUIREMENTS[name], constraints)
        stamp.write_text(wanted)
    return python.absolute()


def version(name: str, python: Path) -> str:
    distribution = _DISTRIBUTIONS.get(name, name)
    found = _output(str(python), "-c", f"import importlib.metadata as m; print(m.version({distribution!r}))").strip()
    return found if distribution == name else f"{distribution} {found}"


def _install(python: Path, requirements: tuple[str, ...], constraints: Path) -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    _output(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(python.parent.parent))
    _output(
        uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python),
        "--constraint", str(constraints), *requirements,
    )  # fmt: skip


def _output(*command: str) -> str:
    """What the command printed; Missing, with the end of what it complained about, when it fails."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError as error:
        raise Missing(str(error)) from error
    except subprocess.CalledProcessError as error:
        raise Missing(f"{' '.join(command[:3])} failed: {' '.join(error.stderr.split())[-300:]}") from error
