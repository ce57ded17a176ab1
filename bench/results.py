"""All that a run measured: the report and the verdicts are made of this alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.alone import Alone
from bench.cases import Case, Load
from bench.figures import Figures, Start


@dataclass(frozen=True)
class Cell:
    """One line of the table: by the case's name, so that it can be a key."""

    case: str
    load: Load
    server: str


@dataclass
class Results:
    """`absent` says why a server was not measured in a case, `missing` why a server is not there at all,
    `stumbled` how its first answer failed where its second was right. `pressure`
    is the load average of the machine before each round, `grown` MiB of private memory after the load, `reported` the
    version that a server says it is."""

    cases: Sequence[Case]
    rounds: int
    cells: dict[Cell, Figures] = field(default_factory=dict)
    absent: dict[tuple[str, str], str] = field(default_factory=dict)
    stumbled: dict[tuple[str, str], str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    starts: dict[str, Start] = field(default_factory=dict)
    reported: dict[str, str] = field(default_factory=dict)
    grown: dict[str, float] = field(default_factory=dict)
    pressure: list[float] = field(default_factory=list)
    alone: Alone | None = None

    def figures(self, case: Case, load: Load, server: str) -> Figures | None:
        return self.cells.get(Cell(case.name, load, server))


@dataclass(frozen=True)
class Setting:
    """Where and with what a run was made."""

    date: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    command: str
    note: str = ""
