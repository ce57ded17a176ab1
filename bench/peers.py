"""The servers' environments: one for each under `.venv-peers`, made once with uv, then used again.

Versions of the peers are pinned by `bench/constraints/NAME.txt`, ours by the project's. Ours is what an installation
for scikit-learn gets, without development tools: scikit-learn imports pandas where it finds it, which costs 0.2 s and
29 MiB. A peer that cannot be installed is Missing, with the reason.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]

REQUIREMENTS: Mapping[str, tuple[str, ...]] = {
    "inferplane": ("--editable", f"{ROOT}[sklearn]"),
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
_OF_FORMATS = _CONSTRAINTS / "formats.txt"


class Missing(Exception):
    """Why this machine does not have the peer."""


def environment(name: str, root: Path = Path(".venv-peers"), requirements: tuple[str, ...] = ()) -> Path:
    """The Python of the peer's environment; with `requirements` of its own, `name` is `PEER-FORMAT`."""
    python = root / name / "bin" / "python"
    stamp = root / name / "bench.txt"
    requirements = requirements or REQUIREMENTS[name]
    pinned = _CONSTRAINTS / f"{name.partition('-')[0]}.txt"
    constraints = [pinned if pinned.exists() else ROOT / "constraints.txt"]
    if "-" in name:
        constraints.append(_OF_FORMATS)
    ours = [] if pinned.exists() else [ROOT / "pyproject.toml"]
    wanted = "\n".join([*requirements, *(file.read_text() for file in (*constraints, *ours))])
    if not (python.exists() and stamp.exists() and stamp.read_text() == wanted):
        print(f"installing {name} into {root / name}", file=sys.stderr, flush=True)
        _install(python, requirements, constraints)
        stamp.write_text(wanted)
    return python.absolute()


def version(name: str, python: Path) -> str:
    distribution = _DISTRIBUTIONS.get(name, name)
    found = _output(str(python), "-c", f"import importlib.metadata as m; print(m.version({distribution!r}))").strip()
    return found if distribution == name else f"{distribution} {found}"


def _install(python: Path, requirements: tuple[str, ...], constraints: Sequence[Path]) -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    _output(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(python.parent.parent))
    _output(
        uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python),
        *(part for file in constraints for part in ("--constraint", str(file))), *requirements,
    )  # fmt: skip


def _output(*command: str) -> str:
    """What the command printed; Missing, with the end of what it complained about, when it fails."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError as error:
        raise Missing(str(error)) from error
    except subprocess.CalledProcessError as error:
        raise Missing(f"{' '.join(command[:3])} failed: {' '.join(error.stderr.split())[-300:]}") from error
