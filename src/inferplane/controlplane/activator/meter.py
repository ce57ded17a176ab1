"""How many requests a revision has at the same time: exactly, over the time between two reports. Pure. Seconds."""


class Meter:
    """Counts from arrival to end, so those who wait count too."""

    def __init__(self, now: float) -> None:
        self.in_flight = 0
        self._arrivals = 0
        self._area = 0.0
        self._began = now
        self._last = now
        # Told already, at once: the first request of a revision that had none.
        self._told = 0

    def arrived(self, now: float) -> None:
        self._advance(now)
        self.in_flight += 1
        self._arrivals += 1

    def left(self, now: float) -> None:
        self._advance(now)
        self.in_flight -= 1

    def told_first(self) -> None:
        """The first request was reported as one in flight and one arrival; the next report leaves it out."""
        self._told = 1

    def report(self, now: float) -> tuple[float, float]:
        """The average of requests in flight and the arrivals per second since the last report."""
        self._advance(now)
        span = now - self._began
        if span <= 0:
            return 0.0, 0.0
        average, arrivals = self._area / span, self._arrivals
        told, self._told = self._told, 0
        self._area, self._arrivals, self._began = 0.0, 0, now
        return max(average - told, 0.0), max(arrivals - told, 0) / span

    def _advance(self, now: float) -> None:
        # A clock that went backwards adds nothing.
        if now > self._last:
            self._area += self.in_flight * (now - self._last)
            self._last = now
