"""What the node and a keeper say to each other over the keeper's socket: one JSON object a line, tagged by `type`.

The node sends `start`, `signal` and `close`. The keeper answers with `hello` when the node connects and then with an
event for everything that happens to a run. Events are notices only: the truth is the run's record on disk (`runs`), so
a node that was away loses nothing.
"""

from typing import TypeAlias

import msgspec

RunId: TypeAlias = str
"""`POD_UID/CONTAINER/ATTEMPT`, unique for ever."""


ALREADY_RUNNING = "AlreadyRunning"
"""The reason that a keeper announces when another one has its socket."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    pass


class Launch(_Message, frozen=True, kw_only=True):
    """One run of one container: the fork calls `entrypoint` ("module:function") with `argv`; else it execs `argv`.

    `directory` holds the run's record and log, `cwd` is where the process starts. `announces`: it speaks the readiness
    protocol. `failures` is how many runs in a row ended before this one (written to the record for the node's
    back-off). `limits`: soft and hard value by the name of `resource.RLIMIT_*`. `title` is what `ps` shows. With
    `no_new_privileges` no program that it executes gets more rights than it has (set-user-id programs, capabilities).
    `uid`, `gid` and `groups`: whom it becomes, -1 for nobody else. `cgroups`: files that it writes its pid into.
    """

    id: RunId
    directory: str
    attempt: int
    argv: list[str]
    environment: dict[str, str]
    cwd: str
    entrypoint: str = ""
    announces: bool = False
    failures: int = 0
    title: str = ""
    limits: dict[str, tuple[int, int]] = {}
    no_new_privileges: bool = False
    uid: int = -1
    gid: int = -1
    groups: list[int] = []
    cgroups: list[str] = []


class Start(_Message, frozen=True, kw_only=True, tag="start"):
    launch: Launch


class Signal(_Message, frozen=True, kw_only=True, tag="signal"):
    """Sends `number` to the process group of a run. SIGKILL goes to everything in its session."""

    id: RunId
    number: int


class Close(_Message, frozen=True, kw_only=True, tag="close"):
    """The keeper ends when its last run has ended (at once without one); it takes no more starts."""


class Hello(_Message, frozen=True, kw_only=True, tag="hello"):
    """The first line on each connection: the keeper's pid and its living runs."""

    pid: int
    runs: list[RunId]


class Started(_Message, frozen=True, kw_only=True, tag="started"):
    id: RunId
    pid: int


class Ready(_Message, frozen=True, kw_only=True, tag="ready"):
    """The run announced that it can serve."""

    id: RunId


class Exited(_Message, frozen=True, kw_only=True, tag="exited"):
    """The run ended, and its record says how; or it was refused (the keeper is closing), and it has no record."""

    id: RunId


Request: TypeAlias = Start | Signal | Close
Event: TypeAlias = Hello | Started | Ready | Exited


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """The line that a process writes to its readiness pipe (docs/architecture.md)."""

    event: str
    reason: str = ""
    message: str = ""


def line(message: Request | Event) -> bytes:
    return msgspec.json.encode(message) + b"\n"


decode_request = msgspec.json.Decoder(Request).decode
decode_event = msgspec.json.Decoder(Event).decode
decode_announcement = msgspec.json.Decoder(Announcement).decode
