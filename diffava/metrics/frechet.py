"""The Fréchet distance between two sets of features. Knows no classifier.

FD, FAD and their like are this number on the features of PANNs, VGGish or, in our own benchmark, a judge.
"""

import numpy as np
from jaxtyping import Float


def frechet_distance(one: Float[np.ndarray, "N D"], other: Float[np.ndarray, "K D"]) -> float:
    """The Fréchet distance between Gaussians fitted to two sets of at least 2 rows, whichever their order.

    The trace of the covariances' geometric mean is a nuclear norm of the centred rows, tr (S1 S2)^1/2 =
    ||Xc Yc^T||_* / sqrt((n-1)(k-1)). So it is exact and stable with fewer rows than features, where the usual matrix
    square root of a singular product is not (definition: audioldm_eval, fid.py; covariances divide by n - 1).
    """
    x, y = one.astype(np.float64), other.astype(np.float64)
    centred_x, centred_y = x - x.mean(0), y - y.mean(0)
    rows_x, rows_y = len(x) - 1, len(y) - 1
    # The QR step keeps the matrix whose singular values are taken no larger than the features are wide.
    small_x, small_y = _triangle(centred_x), _triangle(centred_y)
    overlap = np.linalg.svd(small_x @ small_y.T, compute_uv=False).sum() / np.sqrt(rows_x * rows_y)
    apart = float(np.sum((x.mean(0) - y.mean(0)) ** 2))
    return apart + float(np.sum(centred_x**2) / rows_x + np.sum(centred_y**2) / rows_y - 2 * overlap)


def _triangle(rows: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "K D"]:
    """Rows with the same products between columns, at most as many as columns."""
    return np.asarray(np.linalg.qr(rows, mode="r")) if len(rows) > rows.shape[1] else rows
