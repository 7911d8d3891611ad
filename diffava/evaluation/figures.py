"""A figure of the benchmark: a number, how sure it is, what it should be, and whether it is. Knows no sound."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from diffava.metrics.resampling import bootstrap_interval

Item = TypeVar("Item")


@dataclass(frozen=True)
class Figure:
    """One line of the benchmark.

    `low` and `high` are a 95 % bootstrap interval, `count` is of how many clips; `real` is the same measured of real
    held-out recordings, as far as that makes sense: what a perfect model could reach with this instrument.
    """

    key: str
    title: str
    value: float
    low: float = math.nan
    high: float = math.nan
    count: int = 0
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    real: float = math.nan

    @property
    def verdict(self) -> Literal["met", "missed", ""]:
        """Whether the target is met; nothing where there is none."""
        if self.at_least is None and self.at_most is None:
            return ""
        above = self.at_least is None or self.value >= self.at_least
        below = self.at_most is None or self.value <= self.at_most
        return "met" if above and below else "missed"

    def as_json(self) -> dict[str, Any]:
        """Plain values, without what is not known."""
        fields = {**self.__dict__, "verdict": self.verdict}
        known = {name: value for name, value in fields.items() if _is_known(value)}
        return {**known, "value": known.get("value")}  # null if nothing could be measured


def _is_known(value: Any) -> bool:
    return value not in (None, "") and not (isinstance(value, float) and not math.isfinite(value))


def mean_figure(key: str, title: str, values: Sequence[float], **more: Any) -> Figure:
    """The mean of one number a clip."""
    kept = [value for value in values if math.isfinite(value)]
    if not kept:
        return Figure(key, title, math.nan, **more)
    return measured(key, title, kept, lambda drawn: float(np.mean(drawn)), **more)


def measured(
    key: str,
    title: str,
    items: Sequence[Item],
    figure: Callable[[list[Item]], float],
    rounds: int = 500,
    centred: bool = False,
    **more: Any,
) -> Figure:
    """Any figure of a list of clips, with its interval (`centred` for figures of a set, see `bootstrap_interval`)."""
    low, high = bootstrap_interval(items, figure, rounds=rounds, centred=centred)
    return Figure(key, title, figure(list(items)), low, high, len(items), **more)
