"""Requests that wait for each other: when they go, together with whom, and who is told of what went wrong."""

import asyncio
import json
from collections.abc import Sequence
from itertools import count

import pytest

from inferplane.dataplane.server.answers import Answer
from inferplane.dataplane.server.batching.bodies import V1, V2, Form
from inferplane.dataplane.server.batching.decide import Bounds
from inferplane.dataplane.server.batching.gathering import Gathering, Request

WAIT = Bounds(rows=100, latency=3600.0)


class Server:
    """Adds one to each instance; refuses instances below 0. While `held`, answers wait for `release`."""

    def __init__(self, *, held: bool = False, status: int = 200) -> None:
        self.bodies: list[object] = []
        self.arrived = asyncio.Event()
        self._free = asyncio.Event()
        self._status = status
        if not held:
            self._free.set()

    def release(self) -> None:
        self._free.set()

    async def __call__(self, body: bytes, requests: Sequence[Request]) -> Answer:
        instances = json.loads(body)["instances"]
        self.bodies.append(instances)
        self.arrived.set()
        await self._free.wait()
        if self._status != 200 or min(instances) < 0:
            return Answer(400 if self._status == 200 else self._status, b"refused")
        return Answer(200, json.dumps({"predictions": [one + 1 for one in instances]}).encode())


def request(*instances: int, kind: str = "") -> Request:
    body = json.dumps({"instances": instances}).encode()
    rows = V1.read(body)
    assert rows is not None
    return Request(V1, rows, body, {}, kind)


def gathering(server: Server, bounds: Bounds, timeout: float | None = None) -> Gathering:
    ids = count(1)
    return Gathering(server, bounds, lambda: f"id-{next(ids)}", timeout=timeout)


def said(answer: Answer) -> object:
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


async def answers(gathered: Gathering, *requests: Request) -> list[Answer]:
    return await asyncio.wait_for(asyncio.gather(*(gathered.ask(one) for one in requests)), 30)


async def test_requests_that_come_together_go_together_and_share_the_id_of_their_batch() -> None:
    server = Server()
    found = await answers(gathering(server, Bounds()), request(1), request(2, 3))
    assert server.bodies == [[1, 2, 3]]
    assert [said(one) for one in found] == [
        {"message": "", "batchId": "id-1", "predictions": [2]},
        {"message": "", "batchId": "id-1", "predictions": [3, 4]},
    ]


async def test_a_request_alone_does_not_wait_without_a_latency_and_has_kserves_form_too() -> None:
    (found,) = await answers(gathering(Server(), Bounds()), request(1))
    assert said(found) == {"message": "", "batchId": "id-1", "predictions": [2]}


async def test_with_a_latency_a_batch_goes_when_it_is_full() -> None:
    server = Server()
    await answers(gathering(server, Bounds(rows=3, latency=3600.0)), request(1), request(2), request(3))
    assert server.bodies == [[1, 2, 3]]


async def test_with_a_latency_a_batch_goes_when_it_has_waited_so_long() -> None:
    server = Server()
    loop = asyncio.get_running_loop()
    start = loop.time()
    await answers(gathering(server, Bounds(rows=100, latency=0.05)), request(1), request(2))
    assert server.bodies == [[1, 2]]
    assert loop.time() - start >= 0.049


async def test_what_comes_while_one_is_on_its_way_is_the_next_batch() -> None:
    server = Server(held=True)
    gathered = gathering(server, Bounds())
    first = asyncio.create_task(gathered.ask(request(1)))
    await server.arrived.wait()
    rest = asyncio.gather(*(gathered.ask(request(number)) for number in range(2, 7)))
    await asyncio.sleep(0)
    server.release()
    await asyncio.wait_for(asyncio.gather(first, rest), 30)
    assert server.bodies == [[1], [2, 3, 4, 5, 6]]


async def test_what_does_not_fit_does_not_meet() -> None:
    server = Server()
    await answers(gathering(server, Bounds()), request(1, kind="a"), request(2, kind="b"), request(3, kind="a"))
    assert server.bodies == [[1, 3], [2]]


async def test_a_bad_request_fails_alone() -> None:
    server = Server()
    found = await answers(gathering(server, Bounds()), request(1), request(-1), request(2))
    assert [one.status for one in found] == [200, 400, 200]
    assert sorted(map(str, server.bodies)) == ["[-1]", "[1, -1, 2]", "[1]", "[2]"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_server_without_time_is_not_asked_again(status: int) -> None:
    server = Server(status=status)
    found = await answers(gathering(server, Bounds()), request(1), request(2))
    assert [one.status for one in found] == [status, status]
    assert len(server.bodies) == 1


async def test_a_batch_that_takes_too_long_is_504_for_all_of_it() -> None:
    found = await answers(gathering(Server(held=True), Bounds(), timeout=0.01), request(1), request(2))
    assert [one.status for one in found] == [504, 504]


async def test_a_server_that_cannot_be_reached_is_told_to_each() -> None:
    async def refuses(body: bytes, requests: Sequence[Request]) -> Answer:
        raise ConnectionRefusedError("nobody there")

    gathered = Gathering(refuses, Bounds(), lambda: "id")
    found = await asyncio.gather(*(gathered.ask(request(1)) for _ in range(2)), return_exceptions=True)
    assert [type(one) for one in found] == [ConnectionRefusedError, ConnectionRefusedError]


async def test_who_has_left_takes_no_part() -> None:
    server = Server(held=True)
    gathered = gathering(server, Bounds())
    first = asyncio.create_task(gathered.ask(request(1)))
    await server.arrived.wait()
    leaving, staying = (asyncio.create_task(gathered.ask(request(number))) for number in (2, 3))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    server.release()
    await asyncio.wait_for(asyncio.gather(first, staying), 30)
    assert server.bodies == [[1], [3]]


async def test_closing_leaves_nobody_waiting() -> None:
    server = Server(held=True)
    gathered = gathering(server, Bounds())
    asking = asyncio.create_task(gathered.ask(request(1)))
    await server.arrived.wait()
    gathered.close()
    await asyncio.wait([asking], timeout=30)
    assert asking.cancelled()


async def test_an_answer_of_v2_to_one_request_is_left_as_it_is() -> None:
    given = b'{"outputs": []}'

    async def server(body: bytes, requests: Sequence[Request]) -> Answer:
        return Answer(200, given)

    body = b'{"inputs":[{"name":"x","shape":[1],"datatype":"INT32","data":[1]}]}'
    rows = V2.read(body)
    assert rows is not None
    form: Form = V2
    found = await Gathering(server, Bounds(), lambda: "id").ask(Request(form, rows, body, {}))
    assert found.body == given


async def test_it_is_told_when_nothing_is_left_to_do() -> None:
    idle = asyncio.Event()
    gathered = Gathering(Server(), Bounds(), lambda: "id", on_idle=idle.set)
    await gathered.ask(request(1))
    await asyncio.wait_for(idle.wait(), 30)
    assert gathered.is_idle
