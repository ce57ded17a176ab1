"""Our server as users reach it: a whole platform of its own, whose gateway stands before the model."""

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from bench.models import Kind
from bench.servers import DoesNotServe, Launch, Ports, Running, free_ports, started

PATIENCE = 120.0


@contextmanager
def platform(
    name: str, python: Path, kind: Kind, model: Path, work: Path, answers: Callable[[Ports], bool]
) -> Iterator[Running]:
    """A service for the model behind the platform's gateway; DoesNotServe, with what the command line said."""
    command = str(python.with_name("inferplane"))
    environment = {"INFERPLANE_HOME": str(work / "home")}
    manifest = work / "isvc.json"
    manifest.write_text(json.dumps(_service(kind, model)))
    with started(name, _up(command, environment), _listens) as up:
        _said(environment, command, "apply", "-f", str(manifest))
        service = json.loads(_said(environment, command, "get", "inferenceservice", kind.name, "-o", "json"))
        behind = replace(up, ports=replace(up.ports, host=urlsplit(service["status"]["url"]).netloc))
        if not answers(behind.ports):
            raise DoesNotServe(f"{name}: the service is ready and does not answer rightly")
        yield behind


def _up(command: str, environment: Mapping[str, str]) -> Launch:
    free = free_ports()
    flags = ("--port", str(free.http), "--api-port", str(free.metrics))
    return Launch((command, "up", *flags), environment, replace(free, grpc=free.http))


def _listens(ports: Ports) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", ports.http)) == 0


def _service(kind: Kind, model: Path) -> dict[str, object]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": kind.name, "namespace": "default"},
        "spec": {
            "predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": model.parent.absolute().as_uri()}}
        },
    }


def _said(environment: Mapping[str, str], *command: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    if done.returncode:
        raise DoesNotServe(f"{' '.join(command[1:3])}: {' '.join(done.stderr.split())[-300:]}")
    return done.stdout
