"""The answer to a call that waits reaches the one who waits for it, once, or nobody."""

import asyncio
import logging
import weakref
from collections.abc import Callable

import pytest

from inferplane.dataplane.server.answers import Answer
from inferplane.dataplane.server.reply import Reply

ANSWER = Answer(200, b"yes")


async def test_it_can_be_awaited_before_and_after_the_answer() -> None:
    reply = Reply()
    waiting = asyncio.ensure_future(reply)
    await asyncio.sleep(0)
    assert not reply.done()
    reply.set_result(ANSWER)
    assert reply.done()
    assert await waiting is ANSWER
    assert await reply is ANSWER


async def test_who_asked_to_be_called_is_called_at_once() -> None:
    reply = Reply()
    got: list[Answer] = []
    reply.then(got.append)
    assert got == []
    reply.set_result(ANSWER)
    assert got == [ANSWER]


def test_who_left_is_known_to_have_left() -> None:
    reply = Reply()
    reply.cancel()
    assert reply.done()


async def test_a_task_that_is_cancelled_while_it_waits_has_left() -> None:
    reply = Reply()
    waiting = asyncio.ensure_future(reply)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert reply.done()


def test_one_that_cannot_be_told_does_not_keep_the_answer_from_others(caplog: pytest.LogCaptureFixture) -> None:
    reply = Reply()

    def broken(answer: Answer) -> None:
        raise RuntimeError("no transport")

    reply.then(broken)
    with caplog.at_level(logging.ERROR, "inferplane.server"):
        reply.set_result(ANSWER)
    assert "could not be handed over" in caplog.text


def test_once_it_is_there_or_nobody_waits_it_holds_nobody() -> None:
    class Waiter:
        def __call__(self, answer: Answer) -> None: ...

    ends: list[Callable[[Reply], None]] = [lambda reply: reply.set_result(ANSWER), Reply.cancel]
    for end in ends:
        waiter = Waiter()
        left = weakref.ref(waiter)
        reply = Reply()
        reply.then(waiter)
        del waiter
        end(reply)
        assert left() is None
