"""By how much the onsets of generated sounds miss those of their references, as a distribution. Knows no sound."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from diffava.metrics.matching import Matching

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class ErrorDistribution:
    """Errors of all matched onsets of a set: found - wanted, so that a late sound has a positive one.

    `bias_ms` is the median with its sign (a constant delay), the quantiles are of the distance without it. Only what
    was matched has an error, so all of this is to be read beside how much was matched.
    """

    count: int
    bias_ms: float
    quantiles_ms: tuple[float, ...]

    def in_frames(self, frame_rate: float) -> tuple[float, ...]:
        """The quantiles in frames of a film."""
        return tuple(quantile / 1000 * frame_rate for quantile in self.quantiles_ms)


def error_distribution(matchings: Iterable[Matching], shares: tuple[float, ...] = SHARES) -> ErrorDistribution:
    """The errors of all clips' matched pairs together; NaN throughout if nothing was matched."""
    errors_ms = np.array([1000 * error for matching in matchings for error in matching.errors_s])
    if not len(errors_ms):
        return ErrorDistribution(0, float("nan"), (float("nan"),) * len(shares))
    quantiles = np.quantile(np.abs(errors_ms), shares)
    return ErrorDistribution(len(errors_ms), float(np.median(errors_ms)), tuple(float(one) for one in quantiles))
