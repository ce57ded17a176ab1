"""The activator in this process: how many requests it may hold, and where its cold starts are counted."""

import resource

from inferplane.controlplane.activator.buffer import Report
from inferplane.controlplane.activator.controller import Activator
from inferplane.controlplane.activator.measures import ColdStarts
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.precedence import Precedence
from inferplane.kernel.clock import Clock

# Files that the control plane needs for other things: the store, its clients, watches.
_RESERVED = 1024
# A request that runs has a connection to its client and one to its pod.
_PER_REQUEST = 2
_ENOUGH = 65_536


def activator(informers: Informers, clock: Clock, report: Report, starts: ColdStarts, first: Precedence) -> Activator:
    """To be made before the informers run. `report` gets the load (`signals.stats`)."""
    return Activator(informers, clock, report, capacity=capacity(_open_files()), woken=starts.observe, first=first)


def capacity(open_files: int) -> int:
    """Requests at the same time: past it they get 503, where a process without a free file could not even say so."""
    return max((open_files - _RESERVED) // _PER_REQUEST, open_files // 4)


def _open_files() -> int:
    """How many this process may open, after asking for as many as are of use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(_ENOUGH, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft
