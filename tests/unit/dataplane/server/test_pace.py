from inferplane.dataplane.server.pace import LONE, SHORT, Pace, Traffic


def pace(*calls: tuple[float, int]) -> Pace:
    made = Pace()
    for seconds, size in calls:
        made.record(seconds, size)
    return made


def test_nothing_is_known_before_the_first_call() -> None:
    assert pace().expected(10) is None
    assert not pace().is_short(10)


def test_a_body_of_the_usual_size_takes_the_usual_time_and_a_larger_one_longer() -> None:
    known = pace((0.0002, 100))
    assert [known.expected(size) for size in (50, 100, 1000)] == [0.0002, 0.0002, 0.002]
    assert [known.is_short(size) for size in (100, 1000)] == [True, False]


def test_a_model_that_becomes_slow_is_noticed_and_so_is_its_recovery() -> None:
    known = pace((0.0002, 100), *[(0.01, 100)] * 3)
    assert not known.is_short(100)
    for _ in range(20):
        known.record(0.0002, 100)
    assert known.is_short(100)


def test_a_lone_client_may_be_computed_for_longer_in_place() -> None:
    known = pace((0.003, 100))
    assert not known.is_short(100)
    assert known.is_short(100, LONE)


def test_a_client_is_lone_when_nobody_else_came_for_a_second() -> None:
    traffic, line, other = Traffic(), object(), object()
    limits = []
    for now, who, others in [
        (10.0, line, False),
        (10.9, line, False),
        (11.1, line, False),
        (11.2, other, False),
        (12.1, other, False),
        (12.3, other, False),
        (12.4, other, True),
        (13.3, other, False),
        (13.5, other, False),
    ]:
        traffic.note(who, now, others=others)
        limits.append(traffic.limit(now))
    assert limits == [SHORT, SHORT, LONE, SHORT, SHORT, LONE, SHORT, SHORT, LONE]
