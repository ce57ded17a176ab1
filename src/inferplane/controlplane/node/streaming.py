"""What the API server asks for `kubectl exec`, `attach` and `port-forward`: WebSockets on the node's socket.

`GET /exec/{namespace}/{pod}/{container}?command=…&stdin=…&stdout=…&stderr=…&tty=…`, `GET /attach/…` with the same path,
and `GET /portForward/{namespace}/{pod}`; the paths are a kubelet's. Whatever goes wrong after the handshake is told on
the error channel.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import WSMsgType, web

from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.node import conversations, execution, runs
from inferplane.controlplane.node import logs as logfile
from inferplane.controlplane.node.addressed import Refusal, care_of, house_of, living_run
from inferplane.controlplane.node.care import Care
from inferplane.controlplane.node.conversations import CommandConversation
from inferplane.controlplane.node.environment import relocate
from inferplane.controlplane.node.execution import Command, Wanted
from inferplane.controlplane.node.launcher import Setting
from inferplane.controlplane.node.pods import Pods
from inferplane.controlplane.node.port_forward import ChannelForwarding, SpdyForwarding
from inferplane.controlplane.node.spdy import ProtocolError
from inferplane.kernel.clock import Clock
from inferplane.resources import channels

log = logging.getLogger(__name__)

_TAR = ("tar", "cf", "-")


@dataclass(frozen=True, slots=True)
class SocketPeer:
    """A WebSocket of aiohttp's as the other side of a conversation."""

    socket: web.WebSocketResponse

    async def receive(self) -> AsyncIterator[bytes]:
        async for message in self.socket:
            if message.type is WSMsgType.BINARY:
                yield message.data

    async def send(self, message: bytes) -> None:
        await self.socket.send_bytes(message)


class Streaming:
    def __init__(self, pods: Pods, clock: Clock) -> None:
        self._pods = pods
        self._clock = clock

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/exec/{namespace}/{pod}/{container}", self.exec)
        app.router.add_get("/attach/{namespace}/{pod}/{container}", self.attach)
        app.router.add_get("/portForward/{namespace}/{pod}", self.port_forward)

    async def exec(self, request: web.Request) -> web.WebSocketResponse:
        peer = await _accepted(request)
        try:
            care = self._care(request)
            run = living_run(care)
            command = _command(care, request.query.getall("command", []))
            started = execution.start(command, _wanted(request.query))
        except Refusal as refusal:
            await conversations.refuse(peer, str(refusal))
        except OSError as error:
            await conversations.refuse(peer, f"error executing command in container: {_why(error)}")
        else:
            assert run.process is not None  # a living run has one
            await CommandConversation(peer, started, run.process).run()
        await peer.socket.close()
        return peer.socket

    async def attach(self, request: web.Request) -> web.WebSocketResponse:
        peer = await _accepted(request)
        try:
            care = self._care(request)
            run = living_run(care)
        except Refusal as refusal:
            await conversations.refuse(peer, str(refusal))
        else:
            await conversations.follow(peer, self._from_now_on(care, run))
        await peer.socket.close()
        return peer.socket

    async def port_forward(self, request: web.Request) -> web.WebSocketResponse:
        peer, where = await _accepted(request), request.match_info
        try:
            address = house_of(self._pods, Key(where["namespace"], where["pod"])).place.pod_ip
            if peer.socket.ws_protocol == channels.SPDY:
                await SpdyForwarding(peer, address).run()
            else:
                await ChannelForwarding(peer, address, _ports(request)).run()
        except (Refusal, ProtocolError) as error:
            # There is no stream yet, or none any more, to say it on.
            log.warning("port-forward ended pod=%s error=%s", where["pod"], error)
        await peer.socket.close()
        return peer.socket

    def _care(self, request: web.Request) -> Care:
        where = request.match_info
        return care_of(self._pods, Key(where["namespace"], where["pod"]), where["container"])

    def _from_now_on(self, care: Care, run: runs.Run) -> AsyncIterator[bytes]:
        path = runs.log_path(care.directory.container(care.container.name), run.attempt)

        def ended() -> bool:
            latest = care.seen.run
            return latest is None or latest.attempt != run.attempt or latest.exit is not None

        return logfile.stream(path, logfile.Query(follow=True, tail=0), self._clock, ended)


async def _accepted(request: web.Request) -> SocketPeer:
    # Messages are a few dozen kilobytes; the API server in between asks for nothing to be compressed.
    socket = web.WebSocketResponse(protocols=(*channels.COMMANDS, channels.SPDY), compress=False, max_msg_size=1 << 24)
    await socket.prepare(request)
    return SocketPeer(socket)


def _ports(request: web.Request) -> list[int]:
    """Of `ports=80&ports=81,82`. Raises Refusal."""
    words = [word for value in request.query.getall("ports", []) for word in value.split(",")]
    if not words or not all(word.isdecimal() and 0 < int(word) < 65536 for word in words):
        raise Refusal(400, f"ports: expected numbers of ports, got {words}")
    return [int(word) for word in words]


def _wanted(query: Mapping[str, str]) -> Wanted:
    tty = _flag(query, "tty")
    return Wanted(
        stdin=_flag(query, "stdin"),
        stdout=_flag(query, "stdout"),
        # One terminal is both.
        stderr=_flag(query, "stderr") and not tty,
        tty=tty,
    )


def _flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1")


def _command(care: Care, words: list[str]) -> Command:
    """Raises Refusal."""
    setting = care.setting
    if setting is None:
        raise Refusal(500, f'container "{care.container.name}" was started by a former node and is not known well yet')
    if not words:
        raise Refusal(400, "you must specify at least 1 command for the container")
    directory = care.container.working_dir
    cwd = Path(setting.place(directory)) if directory else setting.root
    return Command(located(words, setting), setting.environment, cwd, setting.bounds)


def located(words: list[str], setting: Setting) -> list[str]:
    """A command's words with the container's paths and hosts as they are here.

    `tar cf - PATH`, as `kubectl cp` asks for it, is told to name its files as if it were in the container.
    """
    path = words[-1].rstrip("/")
    if tuple(words[:-1]) == _TAR and relocate(path, setting.places) != path:
        # With the dot, as a mount is a link here and is to be followed.
        name = path.lstrip("/") + ("/." if path in setting.places else "")
        return [*_TAR, "-C", str(setting.root), name]
    return [setting.hosts.place(relocate(word, setting.places)) for word in words]


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f'exec: "{error.filename}": executable file not found in $PATH'
    return str(error)
