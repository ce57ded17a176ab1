"""Models saved with other versions of scikit-learn than ours, made by those versions."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from inferplane.assembly import installer
from inferplane.controlplane.node.environments.builder import Builder, BuildFailed
from inferplane.controlplane.node.environments.choose import Environment
from inferplane.kernel.clock import SystemClock

TRAIN = """
import sys, joblib, sklearn
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
rows, classes = load_iris(return_X_y=True)
joblib.dump(RandomForestClassifier(10, random_state=0).fit(rows, classes), sys.argv[1])
print(sklearn.__version__)
"""


def builder(root: Path) -> Builder:
    found = installer.found(os.environ)
    return Builder(root, found.uv, found.variables, SystemClock())


def saved_with(version: str, directory: Path, *companions: str) -> str:
    """Trains and saves a model in `directory` with that scikit-learn; returns the exact version that did.

    Skips the test when no package index can be reached; every other failure is one.
    """
    requirements = (f"scikit-learn=={version}", "joblib", *companions)
    wanted = Environment(requirements, (), "", ours=False)
    try:
        environment = asyncio.run(builder(directory / "trainer").build(wanted, print))
    except BuildFailed as error:
        if "the package index cannot be reached" in str(error):
            pytest.skip(f"needs a package index: {error}")
        raise
    command: list[str | Path] = [environment / "bin" / "python", "-c", TRAIN, directory / "model.joblib"]
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={"HOME": str(directory)})
    return made.stdout.strip()
