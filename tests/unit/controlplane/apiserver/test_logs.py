import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from inferplane.controlplane.apiserver.logs import LogRefused, NodeGone, NodeLogs


@pytest.fixture
async def socket(tmp_path: Path) -> AsyncIterator[Path]:
    """A node that answers with what it was asked, and has no log of `none`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.match_info["container"] == "none":
            return web.Response(status=404, text="container none not found\n")
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(f"{request.path}\n".encode())
        await asyncio.sleep(0)
        await response.write("".join(f"{k}={v}\n" for k, v in sorted(request.query.items())).encode())
        return response

    app = web.Application()
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    path = tmp_path / "node.sock"
    await web.UnixSite(runner, str(path)).start()
    yield path
    await runner.cleanup()


async def read(logs: NodeLogs, container: str, **query: str) -> str:
    return b"".join([chunk async for chunk in logs.stream("a", "p", container, query)]).decode()


async def test_the_node_is_asked_with_kubelet_s_path_and_parameters(socket: Path) -> None:
    text = await read(NodeLogs(socket), "main", follow="true", tailLines="5", pretty="true")
    assert text == "/containerLogs/a/p/main\nfollow=true\ntailLines=5\n"


async def test_a_refusal_of_the_node_keeps_its_status_and_words(socket: Path) -> None:
    with pytest.raises(LogRefused, match="container none not found") as refused:
        await read(NodeLogs(socket), "none")
    assert refused.value.status == 404


async def test_a_node_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NodeGone, match=r"no\.sock"):
        await read(NodeLogs(tmp_path / "no.sock"), "main")
