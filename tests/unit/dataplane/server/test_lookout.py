"""Who looks out, and for how long."""

from inferplane.dataplane.server.http.lookout import LOOK, PROMPT, Lookout

TICK = 10e-6


class Client:
    """Its next request is there `after` seconds from the answer. Each look at the clock takes 10 µs."""

    def __init__(self, after: float) -> None:
        self.now = 100.0
        self.looks = 0
        self._after = after
        self._answered = 0.0

    def clock(self) -> float:
        self.now += TICK
        return self.now

    def arrived(self) -> bool:
        self.looks += 1
        return self.now - self._answered >= self._after

    def asks(self, lookout: Lookout) -> int:
        """How often it was looked out for, this time."""
        lookout.heard()
        self.looks, self._answered = 0, self.now
        lookout.answered()
        self.now = max(self.now, self._answered + self._after)
        return self.looks


def looks(after: float, requests: int) -> list[int]:
    client = Client(after)
    lookout = Lookout(client.arrived, client.clock)
    return [client.asks(lookout) for _ in range(requests)]


def test_a_client_that_comes_back_at_once_is_waited_for_from_its_second_request_on() -> None:
    assert looks(30e-6, 4) == [0, 2, 2, 2]


def test_one_that_comes_a_little_later_is_waited_for_no_longer_than_a_moment() -> None:
    most = round(LOOK / TICK)
    assert looks(LOOK + 5 * TICK, 3) == [0, most - 1, most - 1]


def test_one_that_takes_its_time_is_never_waited_for() -> None:
    assert looks(PROMPT + 10 * TICK, 4) == [0, 0, 0, 0]
