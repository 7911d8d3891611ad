"""Figures of a classifier's probabilities: Inception score and paired Kullback-Leibler divergence. Knows no classifier.

Both are defined as in audioldm_eval (isc.py and kl.py), so that they mean what the papers' tables mean; the classifier
is another one, so their values are not to be set beside those tables.
"""

import numpy as np
from jaxtyping import Float

KL_FLOOR = 1e-6  # audioldm_eval's; it makes the divergence of a set from itself a little negative


def inception_score(
    probabilities: Float[np.ndarray, "N K"], splits: int = 10, order_seed: int = 2020
) -> tuple[float, float]:
    """The mean and standard deviation over splits of exp(mean KL(p || mean p)): high if clear and varied.

    Raises:
        ValueError: There are fewer rows than splits.
    """
    count = len(probabilities)
    if count < splits:
        raise ValueError(f"{splits} splits need at least as many clips, not {count}; ask for fewer splits")
    shuffled = probabilities.astype(np.float64)[np.random.RandomState(order_seed).permutation(count)]
    scores = []
    for split in range(splits):
        rows = shuffled[split * count // splits : (split + 1) * count // splits]
        scores.append(np.exp(np.mean(np.sum(_xlogy(rows, rows) - _xlogy(rows, rows.mean(0)), axis=1))))
    return float(np.mean(scores)), float(np.std(scores))


def paired_kl(reference: Float[np.ndarray, "N K"], generated: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "N"]:
    """KL(reference || generated) of each pair of clips; the papers' "KL" (softmax) is its mean."""
    p, q = reference.astype(np.float64), generated.astype(np.float64)
    return np.asarray(np.sum(_xlogy(p, p) - p * np.log(q + KL_FLOOR), axis=1))


def paired_kl_sigmoid(
    reference: Float[np.ndarray, "N K"], generated: Float[np.ndarray, "N K"]
) -> Float[np.ndarray, "N"]:
    """audioldm_eval's "KL sigmoid" of each pair, from the independent probabilities of each class.

    It lacks the terms of 1 - p, so it is no divergence and can be negative: a generated clip in which every class is
    more likely than in its reference scores below 0. Kept since papers report it.
    """
    return paired_kl(reference, generated)


def _xlogy(x: Float[np.ndarray, "N K"], y: Float[np.ndarray, "*N K"]) -> Float[np.ndarray, "N K"]:
    """`x log y`, and 0 where x is 0."""
    return np.asarray(x * np.log(np.where(x > 0, y, 1)))
