"""The model server beside its peers: `make bench`, and `make bench QUICK=1` for the two that matter most.

Every server is started alone some times, which gives start and memory. Then all of them run, and in each round every
case goes to every server in turn, so that whatever else the machine does falls on all. Exits 1 when a budget is not
met, 2 when a load generator is not there.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import budgets, cases, h2load, launches, peers, report, setting, wrk
from bench.cases import GATEWAY
from bench.launches import OURS
from bench.results import Results
from bench.runs import Bench


def main() -> int:
    options = _options()
    try:
        wrk.available()
        if not options.quick:
            h2load.available()
    except wrk.ToolMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # servers end on the way out
    results = Results(cases.QUICK if options.quick else cases.FULL, options.rounds)
    commit = setting.commit()
    versions = {"inferplane, commit": commit, **_measure(results, options)}
    verdicts = budgets.verdicts(results, budgets.QUICK if options.quick else budgets.FULL)
    text = report.document(results, verdicts, setting.here(versions, _command(options), options.note))
    print(text)
    if options.write:
        before = options.write.read_text() if options.write.exists() else ""
        options.write.write_text(report.section(before, report.HEADING, text))
    return 1 if any(verdict.met is False for verdict in verdicts) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.model_server", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ours and kserve, JSON iris only")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="length of a load; wrk takes whole seconds")
    parser.add_argument("--environments", type=Path, default=Path(".venv-peers"), help="where the peers are installed")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the report there too")
    parser.add_argument("--note", default="", help="a sentence for the report, say about what else the machine did")
    return parser.parse_args()


def _command(options: argparse.Namespace) -> str:
    return f"make bench{' QUICK=1' if options.quick else ''}{' WRITE=1' if options.write else ''}"


def _measure(results: Results, options: argparse.Namespace) -> dict[str, str]:
    """Fills `results`; the versions of the servers."""
    pythons = _pythons((OURS, "kserve") if options.quick else (*launches.LAUNCHES, GATEWAY), options, results)
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), pythons, results, options.seconds)
        bench.start_each(with_alone=not options.quick)
        for kind in {case.kind.name: case.kind for case in results.cases}.values():
            bench.load([case for case in results.cases if case.kind is kind])
    return {name: _version(name, python, results) for name, python in pythons.items() if name != GATEWAY}


def _version(name: str, python: Path, results: Results) -> str:
    """The package's, and the server's own where it calls itself otherwise."""
    package, own = peers.version(name, python), results.reported.get(name)
    return package if own in (None, "", package.split()[-1]) else f"{package} (the server says {own})"


def _pythons(names: Sequence[str], options: argparse.Namespace, results: Results) -> dict[str, Path]:
    """Of the servers that are there; why others are not goes into the results."""
    pythons = {}
    for name in names:
        try:
            pythons[name] = peers.environment(OURS if name == GATEWAY else name, options.environments)
        except peers.Missing as missing:
            results.missing[name] = str(missing)
    return pythons


if __name__ == "__main__":
    sys.exit(main())
