"""How long jobs take here, from how long recent ones took. Knows nothing else of them."""

WEIGHT_OF_LATEST = 0.3


class Pace:
    """Seconds of the engine for one unit of cost, for each model a running mean over its batches."""

    def __init__(self) -> None:
        self._s_per_cost: dict[str, float] = {}

    def note(self, model: str, cost: float, duration_s: float) -> None:
        """A batch of this cost took so long."""
        latest = duration_s / cost
        before = self._s_per_cost.get(model, latest)
        self._s_per_cost[model] = before + WEIGHT_OF_LATEST * (latest - before)

    def duration_s(self, model: str, cost: float) -> float | None:
        """How long this cost is going to take; None before the model's first batch."""
        s_per_cost = self._s_per_cost.get(model)
        return None if s_per_cost is None else s_per_cost * cost
