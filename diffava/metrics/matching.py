"""How well the times of one list meet those of another: matched one to one, and how far off. Knows no sound."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Matching:
    """How many times were wanted and found, and by how much each matched pair differs (found - wanted)."""

    wanted: int
    found: int
    errors_s: tuple[float, ...]

    @property
    def f1(self) -> float:
        """2 matched / (wanted + found); 1 if nothing was wanted and nothing found."""
        return 2 * len(self.errors_s) / (self.wanted + self.found) if self.wanted + self.found else 1.0


def match(wanted_s: Sequence[float], found_s: Sequence[float], tolerance_s: float) -> Matching:
    """Pair as many times as possible, each used once, no pair further apart than the tolerance.

    Going through both in order and pairing whatever is near enough is optimal, since all tolerances are equal.
    """
    wanted, found = sorted(wanted_s), sorted(found_s)
    errors: list[float] = []
    i = j = 0
    while i < len(wanted) and j < len(found):
        error = found[j] - wanted[i]
        if abs(error) <= tolerance_s + 1e-9:
            errors.append(error)
            i, j = i + 1, j + 1
        elif error < 0:
            j += 1
        else:
            i += 1
    return Matching(len(wanted), len(found), tuple(errors))


def pooled_f1(matchings: Iterable[Matching]) -> float:
    """The F1 of all clips' counts together, so that a clip with many events weighs as many."""
    every = list(matchings)
    return Matching(
        sum(m.wanted for m in every), sum(m.found for m in every), tuple(e for m in every for e in m.errors_s)
    ).f1


def median_error_s(matchings: Iterable[Matching]) -> float:
    """The median distance of all matched pairs; NaN without any."""
    errors = [abs(error) for m in matchings for error in m.errors_s]
    return float(np.median(errors)) if errors else float("nan")
