from inferplane.kernel.backoff import Backoff


def test_each_failure_doubles_the_wait_up_to_the_limit() -> None:
    backoff = Backoff(first=10, limit=300)
    assert [backoff.delay(n) for n in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_thousand_failures_still_wait_for_the_limit() -> None:
    assert Backoff(first=1, limit=60).delay(1000) == 60
