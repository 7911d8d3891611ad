"""How often the engine's process died lately, and what follows from it. Knows no processes; the time is given."""

MAX_DELAY_S = 30.0


class Deaths:
    """Deaths within a window of time, and those in a row.

    Args:
        max_count: With as many within the window the engine counts as down.
        window_s: Of this length.
    """

    def __init__(self, max_count: int = 3, window_s: float = 600.0) -> None:
        self._max_count = max_count
        self._window_s = window_s
        self._at_s: list[float] = []
        self._in_a_row = 0

    def note(self, now_s: float) -> None:
        """It died now."""
        self._at_s = [*self._at_s, now_s][-self._max_count :]
        self._in_a_row += 1

    def note_work(self) -> None:
        """It did what it was asked for, so that what killed it before was no lasting state."""
        self._in_a_row = 0

    @property
    def delay_s(self) -> float:
        """How long to wait before the next start: not at all once, then twice as long with each death in a row."""
        return min(MAX_DELAY_S, 2.0 ** (self._in_a_row - 2)) if self._in_a_row > 1 else 0.0

    def are_too_many(self, now_s: float) -> bool:
        """Whether it died as often as may be within the window that ends now."""
        return len([at_s for at_s in self._at_s if at_s > now_s - self._window_s]) >= self._max_count
