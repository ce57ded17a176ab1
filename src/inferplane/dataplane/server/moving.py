"""A straight line through a stream of points, of which the later ones count for more."""


class MovingLine:
    """`x` and `y` are the moving averages; `weight` is that of the newest point."""

    __slots__ = ("_weight", "_xx", "_xy", "known", "x", "y")

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self.known = False
        self.x = self.y = 0.0
        self._xx = self._xy = 0.0

    def add(self, x: float, y: float) -> None:
        if not self.known:
            self.known = True
            self.x, self.y = x, y
            return
        # Variance and covariance about averages that move (West's incremental form).
        weight = self._weight
        dx, dy = x - self.x, y - self.y
        self.x += weight * dx
        self.y += weight * dy
        self._xx = (1 - weight) * (self._xx + weight * dx * dx)
        self._xy = (1 - weight) * (self._xy + weight * dx * dy)

    def at(self, x: float) -> float:
        """The line's value, never below 0 and never falling; points that hardly differ in x make it go through 0."""
        if self._xx < (0.1 * self.x) ** 2:
            return self.y * max(1.0, x / self.x)
        slope = max(0.0, self._xy / self._xx)
        return max(0.0, self.y + slope * (x - self.x))
