"""Estimates how much faster the far clock runs than ours, from when packets came and what their timestamps say."""

WINDOW_PACKETS = 50
_FEWEST_WINDOWS = 5
_MAX_WINDOWS = 64


class ClockDrift:
    """A straight line through the quickest packet of each window: the network only ever adds delay.

    When there are 64 windows, neighbours are merged, so that an hour needs no more memory than a minute.
    """

    def __init__(self) -> None:
        self._points: list[tuple[float, float]] = []  # instant of arrival and transit time, in seconds
        self._points_per_window = 1
        self._waiting: list[tuple[float, float]] = []

    def add(self, at_s: float, transit_s: float) -> None:
        """Takes the quickest packet of a window: when it came, and that minus its timestamp."""
        self._waiting.append((at_s, transit_s))
        if len(self._waiting) < self._points_per_window:
            return
        self._points.append(min(self._waiting, key=_transit))
        self._waiting.clear()
        if len(self._points) >= _MAX_WINDOWS:
            self._points = [min(pair, key=_transit) for pair in zip(*[iter(self._points)] * 2, strict=True)]
            self._points_per_window *= 2

    @property
    def ppm(self) -> float | None:
        """Millionths by which the far clock is faster (negative: slower); None in the first seconds.

        After ten seconds on a quiet network it is right within some 20, and gets better with time.
        """
        count = len(self._points)
        if count < _FEWEST_WINDOWS:
            return None
        mean_at = sum(at for at, _ in self._points) / count
        mean_transit = sum(transit for _, transit in self._points) / count
        spread = sum((at - mean_at) ** 2 for at, _ in self._points)
        covariance = sum((at - mean_at) * (transit - mean_transit) for at, transit in self._points)
        return -1e6 * covariance / spread if spread else None


def _transit(point: tuple[float, float]) -> float:
    return point[1]
