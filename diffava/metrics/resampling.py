"""How sure a figure is: bootstrap intervals and permutation tests. Knows nothing of what is measured."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Int64

Item = TypeVar("Item")


def bootstrap_interval(
    items: Sequence[Item],
    figure: Callable[[list[Item]], float],
    *,
    share: float = 0.95,
    rounds: int = 1000,
    seed: int = 0,
    centred: bool = False,
) -> tuple[float, float]:
    """The percentile interval of a figure of items (clips, as a rule) drawn again and again with replacement.

    With `centred` it is moved so that its middle is the figure itself. That is for figures of a set as a whole (Fréchet
    distances, the Inception score): clips that are drawn twice narrow a set, so that the draws lie off to one side, and
    the plain interval need not even hold the figure.

    Draws for which the figure is NaN are left out; without any other the interval is NaN.
    """
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(len(items), size=len(items)) for _ in range(rounds))
    values = np.array([figure([items[k] for k in rows]) for rows in drawn])
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
    if centred:
        shift = figure(list(items)) - float(np.median(values))
        low, high = low + shift, high + shift
    return float(low), float(high)


def shuffled_pairs_p_value(
    agreement: Float[np.ndarray, "N N"],
    groups: Int64[np.ndarray, "N"] | None = None,
    *,
    rounds: int = 9999,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Whether rows agree better with their own column than with another's: a one-sided permutation test.

    Args:
        agreement: How well item i's result agrees with item j's reference.
        groups: If given, references are exchanged only inside a group (say, a film), so that what a group has in
            common, like how busy it is, can not pass for timing.
        rounds: How many permutations are drawn.
        seed: Of the permutations.

    Returns:
        The mean agreement as it is, its mean over permutations, and the p-value (1 + as good or better) / (1 + rounds).
    """
    rng = np.random.default_rng(seed)
    count = len(agreement)
    rows = np.arange(count)
    members = [rows] if groups is None else [np.flatnonzero(groups == group) for group in np.unique(groups)]
    aligned = float(np.mean(agreement[rows, rows]))
    drawn = np.empty(rounds)
    for k in range(rounds):
        order = rows.copy()
        for member in members:
            order[member] = rng.permutation(member)
        drawn[k] = np.mean(agreement[rows, order])
    return aligned, float(drawn.mean()), float((1 + np.sum(drawn >= aligned - 1e-12)) / (1 + rounds))
