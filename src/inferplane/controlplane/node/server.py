"""The node's HTTP on `node.sock`, which the API server asks.

`GET /containerLogs/{namespace}/{pod}/{container}` with a kubelet's query, for `pods/log`; `container` may be left empty
when the pod has only one. `GET /usage`: what pods and machine use (`resources.usage.Report`), for `metrics.k8s.io`.
`/exec`, `/attach` and `/portForward`: see `streaming`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.node import logs as logfile
from inferplane.controlplane.node import runs
from inferplane.controlplane.node.addressed import Refusal, care_of, run_of
from inferplane.controlplane.node.care import Care
from inferplane.controlplane.node.pods import Pods
from inferplane.controlplane.node.streaming import Streaming
from inferplane.controlplane.node.usage import Sampler, report
from inferplane.kernel.clock import Clock, parse_timestamp


def application(pods: Pods, sampler: Sampler, clock: Clock) -> web.Application:
    app = web.Application()
    server = _Server(pods, sampler, clock)
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container:[^/]*}", server.logs)
    app.router.add_get("/containerLogs/{namespace}/{pod}", server.logs)
    app.router.add_get("/usage", server.usage)
    app.router.add_get("/healthz", server.healthz)
    Streaming(pods, clock).add_routes(app)
    return app


class _Server:
    def __init__(self, pods: Pods, sampler: Sampler, clock: Clock) -> None:
        self._pods = pods
        self._sampler = sampler
        self._clock = clock

    async def healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def usage(self, _: web.Request) -> web.Response:
        sampler = self._sampler
        body = msgspec.json.encode(report(sampler.pods, self._pods.cache.list(), sampler.node, sampler.name))
        return web.Response(body=body, content_type="application/json")

    async def logs(self, request: web.Request) -> web.StreamResponse:
        where = request.match_info
        try:
            care = care_of(self._pods, Key(where["namespace"], where["pod"]), where.get("container", ""))
            run = run_of(care, previous=_flag(request.query, "previous"))
            query = read_query(request.query, self._clock.now())
        except Refusal as refusal:
            return web.Response(status=refusal.status, text=str(refusal))
        return await self._send(request, care, run, query)

    async def _send(self, request: web.Request, care: Care, run: runs.Run, query: logfile.Query) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
        await answer.prepare(request)
        path = runs.log_path(care.directory.container(care.container.name), run.attempt)

        def ended() -> bool:
            gone = request.transport is None or request.transport.is_closing()
            latest = care.seen.run
            return gone or latest is None or latest.attempt != run.attempt or latest.exit is not None

        try:
            async for block in logfile.stream(path, query, self._clock, ended):
                await answer.write(block)
            await answer.write_eof()
        except FileNotFoundError:
            pass  # the pod was removed since: what there was has been said
        except ConnectionResetError:
            pass  # the reader has seen enough
        return answer


def read_query(query: Mapping[str, str], now: datetime) -> logfile.Query:
    """Raises Refusal on a value that is not of its type."""
    tail, limit, since = (_number(query, name) for name in ("tailLines", "limitBytes", "sinceSeconds"))
    moment = 0.0 if since is None else now.timestamp() - since
    if (text := query.get("sinceTime")) is not None:
        try:
            moment = parse_timestamp(text).astimezone(UTC).timestamp()
        except ValueError:
            raise Refusal(400, f"sinceTime: expected an RFC 3339 time, got {text!r}") from None
    return logfile.Query(
        follow=_flag(query, "follow"),
        tail=tail,
        timestamps=_flag(query, "timestamps"),
        since=moment,
        limit=limit,
    )


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise Refusal(400, f"{name}: expected a number of at least 0, got {text!r}")
    return int(text)


def _flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1")
