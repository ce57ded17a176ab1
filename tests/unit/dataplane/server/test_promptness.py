"""The scheduling of threads, as the kernel tells it."""

import ctypes
import os
import platform
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from inferplane.dataplane.server.promptness import SLACK, SLICE, USUAL_SLACK, Promptness, be_patient, be_prompt

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="Linux on these two only")

GET_TIMER_SLACK = 30
SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}


def slack() -> int:
    found = int(ctypes.CDLL(None).prctl(GET_TIMER_SLACK, 0, 0, 0, 0))
    return found if found >= 0 else pytest.skip("this kernel, or its sandbox, does not tell")


def attributes() -> tuple[int, int]:
    """(nice, slice in ns) of this thread."""
    found = ctypes.create_string_buffer(56)
    if ctypes.CDLL(None).syscall(SCHED_GETATTR[platform.machine()], 0, found, 56, 0) != 0:
        pytest.skip("this kernel, or its sandbox, does not tell")
    _, _, _, nice, _, runtime, *_ = struct.unpack("=IIQiIQQQII", found.raw)
    return nice, runtime


def in_a_thread(check: Callable[[], None]) -> None:
    """So that the thread of the tests stays as it is."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(check).result()


def test_the_loops_thread_has_a_short_slice_and_little_slack_and_its_children_have_neither() -> None:
    def check() -> None:
        _, usual = attributes()
        be_prompt()
        assert slack() == SLACK
        if usual:  # this kernel has slices
            assert attributes()[1] == SLICE
        with ThreadPoolExecutor(1, initializer=be_patient) as threads:
            assert threads.submit(attributes).result()[1] == usual
            assert threads.submit(slack).result() == USUAL_SLACK

    in_a_thread(check)


def test_a_thread_stays_as_nice_as_it_was() -> None:
    def check() -> None:
        os.setpriority(os.PRIO_PROCESS, 0, 3)
        be_prompt()
        assert attributes()[0] == 3

    in_a_thread(check)


def test_a_thread_of_another_policy_is_left_alone() -> None:
    def check() -> None:
        before = slack()
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        be_prompt()
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
        assert slack() == before

    in_a_thread(check)


def test_a_loop_is_prompt_while_anything_computes_and_no_longer() -> None:
    def check() -> None:
        _, usual = attributes()
        prompt = Promptness()
        seen = []
        for step in (prompt.begin, prompt.begin, prompt.end, prompt.end):
            step()
            seen.append(slack())
        assert seen == [SLACK, SLACK, SLACK, USUAL_SLACK]
        assert attributes()[1] == usual

    in_a_thread(check)
