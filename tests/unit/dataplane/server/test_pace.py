from inferplane.dataplane.server.pace import Pace


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
