"""The measuring itself: starts, then rounds of load, into Results."""

import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from bench import alone, answers, gateway, h2load, launches, models, servers, wrk
from bench.alone import Alone
from bench.cases import GATEWAY, Case, Load, Wire
from bench.figures import Sample, Start, median_start, medians
from bench.launches import OURS
from bench.models import Kind
from bench.results import Cell, Results
from bench.servers import DoesNotServe, Ports, Running

Server = str


class Bench:
    """Adds to `results` what it measures. `pythons` are those of the servers that are installed; models and the
    servers' own files lie in `directory`; a load takes `seconds`."""

    def __init__(self, directory: Path, pythons: Mapping[Server, Path], results: Results, seconds: int) -> None:
        self._directory = directory
        self._pythons = pythons
        self._results = results
        self._seconds = seconds
        self._files = {kind.name: models.save(kind, directory) for kind in (models.IRIS, models.PICTURE)}

    def start_each(self, with_alone: bool) -> None:
        """Starts, one server at a time. The first start of each is not counted: it reads everything from the disk."""
        starts: dict[Server, list[Start]] = defaultdict(list)
        bare: list[Alone] = []
        for number in range(self._results.rounds + 1):
            _say(f"start {number} of {self._results.rounds}")
            for name in self._present(first_cases(self._results.cases)):
                if name != GATEWAY and (start := self._start(name)) and number:
                    starts[name].append(start)
            if with_alone and number:
                bare.append(alone.measured(self._pythons[OURS], self._files[models.IRIS.name]))
        self._results.starts.update({name: median_start(found) for name, found in starts.items()})
        self._results.alone = alone.median(bare) if bare else None

    def load(self, cases: Sequence[Case]) -> None:
        """All rounds of cases that ask about one model."""
        samples: dict[Cell, list[Sample]] = defaultdict(list)
        first = first_cases(cases)
        with ExitStack() as stack:
            running = {name: server for name in self._present(first) if (server := self._run(stack, name, first[name]))}
            self._results.reported.update({name: answers.reported_version(on.ports) for name, on in running.items()})
            lengths = self._checked(cases, running)
            for number in range(self._results.rounds):
                _say(f"{cases[0].kind.name}: round {number + 1} of {self._results.rounds}")
                self._round(cases, running, lengths, samples)
            if cases[0].kind is models.IRIS:
                self._results.grown.update({name: server.private_memory for name, server in running.items()})
        measured = {cell: found for cell, found in samples.items() if not self._is_absent(cell.case, cell.server)}
        self._results.cells.update({cell: medians(found) for cell, found in measured.items()})

    # A round.

    def _round(
        self,
        cases: Sequence[Case],
        running: Mapping[Server, Running],
        lengths: Mapping[tuple[str, Server], int],
        samples: dict[Cell, list[Sample]],
    ) -> None:
        self._results.pressure.append(os.getloadavg()[0])
        for case, load, name in turns(cases):
            if name in running and not self._is_absent(case.name, name):
                try:
                    sample = self._sample(case, load, running[name], lengths[case.name, name])
                    samples[Cell(case.name, load, name)].append(sample)
                except (wrk.Failed, servers.Gone) as failed:
                    self._results.absent[case.name, name] = str(failed)

    def _sample(self, case: Case, load: Load, server: Running, length: int) -> Sample:
        request = case.request_to(server.name)
        before = server.cpu_seconds
        if case.wire is Wire.GRPC:
            seen = h2load.load(server.ports, request, load, self._seconds, length)
        else:
            seen = wrk.load(server.ports, request, load.connections, self._seconds)
        return Sample(seen, server.cpu_seconds - before)

    def _checked(self, cases: Sequence[Case], running: Mapping[Server, Running]) -> dict[tuple[str, Server], int]:
        """Lengths of right answers; who does not give one is absent from the case."""
        lengths = {}
        for case in cases:
            for name in (name for name in case.servers if name in running):
                try:
                    lengths[case.name, name] = self._answer(case, running[name])
                except answers.Wrong as wrong:
                    self._results.absent[case.name, name] = str(wrong)
        return lengths

    def _answer(self, case: Case, server: Running) -> int:
        """The length of the first right answer of two; a fault that goes away is told and hides no figures."""
        try:
            return answers.right(case, server.name, server.ports)
        except answers.Wrong as wrong:
            length = answers.right(case, server.name, server.ports)
            self._results.stumbled[case.name, server.name] = str(wrong)
            return length

    def _is_absent(self, case: str, server: Server) -> bool:
        return (case, server) in self._results.absent

    # Servers.

    def _present(self, wanted: Mapping[Server, Case]) -> list[Server]:
        return [name for name in self._pythons if name in wanted and name not in self._results.missing]

    def _start(self, name: Server) -> Start | None:
        with ExitStack() as stack:
            running = self._run(stack, name, first_cases(self._results.cases)[name])
            return None if running is None else Start(running.start, running.private_memory)

    def _run(self, stack: ExitStack, name: Server, first: Case) -> Running | None:
        """A server that runs until the stack ends; None, and the reason noted, when it does not serve."""
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self._directory)))
        try:
            return stack.enter_context(self._server(name, first.kind, work, lambda on: answers.speaks(first, name, on)))
        except DoesNotServe as reason:
            self._results.missing[name] = str(reason)
            return None

    def _server(
        self, name: Server, kind: Kind, work: Path, speaks: Callable[[Ports], bool]
    ) -> AbstractContextManager[Running]:
        python, file = self._pythons[name], self._files[kind.name]
        if name == GATEWAY:
            return gateway.platform(name, python, kind, file, work, speaks)
        return servers.started(name, launches.LAUNCHES[name](python, kind, file, work), speaks)


def first_cases(cases: Sequence[Case]) -> dict[Server, Case]:
    """By server, the first case that it takes part in: its answer there says that the server is up."""
    return {name: case for case in reversed(cases) for name in case.servers}


def turns(cases: Sequence[Case]) -> Iterator[tuple[Case, Load, Server]]:
    """The order of a round: servers that are compared come one right after the other."""
    for case in cases:
        for load in case.loads:
            for name in case.servers:
                yield case, load, name


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)
