from inferplane.dataplane.agent.events import REQUEST, RESPONSE, Event
from inferplane.dataplane.agent.settings import Bounds
from inferplane.dataplane.agent.sinks.sink import Batch
from inferplane.dataplane.agent.waiting import BATCH_BYTES, Waiting


def event(name: str, kind: str = REQUEST, size: int = 1) -> Event:
    return Event({"id": name, "type": kind}, bytes(size))


def waiting(batch: Batch, *names: str, bounds: Bounds | None = None) -> Waiting:
    made = Waiting(bounds or Bounds(), batch)
    for name in names:
        assert made.offer(event(name), now=0.0)
    return made


def ids(events: list[Event]) -> str:
    return "".join(one.id for one in events)


def test_events_go_one_by_one_and_in_order_unless_batches_are_asked_for() -> None:
    one = waiting(Batch(), "a", "b", "c")
    assert [ids(one.take(0.0)) for _ in range(4)] == ["a", "b", "c", ""]


def test_a_batch_of_a_size_waits_until_it_is_full() -> None:
    one = waiting(Batch(3, 3), "a", "b")
    assert ids(one.take(1e9)) == ""
    assert one.due() is None
    one.offer(event("c"), 0.0)
    one.offer(event("d"), 0.0)
    assert [ids(one.take(0.0)), ids(one.take(0.0))] == ["abc", ""]


def test_the_rest_goes_at_the_end() -> None:
    one = waiting(Batch(3, 3), "a", "b")
    assert ids(one.take(0.0, all=True)) == "ab"


def test_with_an_interval_a_batch_goes_by_size_or_by_time_whichever_is_first() -> None:
    one = waiting(Batch(3, 3, wait=2.0), "a", "b")
    assert one.due() == 2.0
    assert [ids(one.take(1.9)), ids(one.take(2.0))] == ["", "ab"]
    for name in "cde":
        one.offer(event(name), 10.0)
    assert ids(one.take(10.0)) == "cde"


def test_as_many_as_wait_go_together_where_that_is_allowed() -> None:
    one = waiting(Batch(1, 3), "a", "b", "c", "d")
    assert [ids(one.take(0.0)), ids(one.take(0.0))] == ["abc", "d"]


def test_requests_and_responses_are_apart_where_files_hold_them() -> None:
    one = Waiting(Bounds(), Batch(2, 2, apart=True))
    for name, kind in (("a", REQUEST), ("b", RESPONSE), ("c", REQUEST), ("d", RESPONSE)):
        one.offer(event(name, kind), 0.0)
    assert sorted([ids(one.take(0.0)), ids(one.take(0.0))]) == ["ac", "bd"]


def test_what_is_being_sent_takes_room_until_it_is_done() -> None:
    one = waiting(Batch(), "a", "b", bounds=Bounds(events=2))
    assert not one.offer(event("c"), 0.0)
    taken = one.take(0.0)
    assert not one.offer(event("c"), 0.0)
    one.done(taken)
    assert one.offer(event("c"), 0.0)
    assert one.count == 2


def test_payloads_are_bounded_by_bytes() -> None:
    one = Waiting(Bounds(bytes=11_000), Batch())
    assert [one.offer(event("a", size=8000), 0.0), one.offer(event("b", size=8000), 0.0)] == [True, False]
    assert one.offer(event("c", size=100), 0.0)


def test_a_batch_of_large_events_is_small() -> None:
    one = Waiting(Bounds(bytes=1 << 40), Batch(1, 100))
    for name in "abc":
        one.offer(event(name, size=BATCH_BYTES // 2), 0.0)
    one.offer(event("d", size=2 * BATCH_BYTES), 0.0)
    assert [ids(one.take(0.0)) for _ in range(3)] == ["ab", "c", "d"]
