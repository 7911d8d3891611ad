"""Fréchet distances over two or three modalities at once: FAVD, FATD and FA(VT)D of T2AV. Knows no network.

T2AV (arXiv:2403.07938) names them and their extractors (VGGish, C3D, word2vec), and not how features of unlike widths
are joined, so both definitions here are ours and no value may be set beside that paper's.

`joint_frechet_distance` joins each item's sound to what it belongs to, and compares generated with reference items. It
sees the pairing: sounds exchanged between items leave every distance of sounds alone as it is, and raise this one.
`cross_frechet_distance` is the literal reading: sounds against pictures or texts. It is far from 0 for real sounds, so
it is read only beside what the reference's own sounds have.
"""

import numpy as np
from jaxtyping import Float

from diffava.metrics.frechet import frechet_distance

COMMON_DIMENSIONS = 128  # VGGish's width, the narrowest of the three


def joint_frechet_distance(
    generated: Float[np.ndarray, "N A"],
    reference: Float[np.ndarray, "N A"],
    others: tuple[Float[np.ndarray, "N _"], ...],
) -> float:
    """The Fréchet distance between [generated; others] and [reference; others], row by row the same item.

    Each block is standardised by the reference's mean and deviation and divided by the root of its width, so that C3D's
    4096 columns do not weigh more than VGGish's 128. A column that is constant over the reference is only centred.
    """
    blocks = [_weighed(block, block) for block in others]
    made = np.concatenate([_weighed(generated, reference), *blocks], axis=1)
    real = np.concatenate([_weighed(reference, reference), *blocks], axis=1)
    return frechet_distance(made, real)


def cross_frechet_distance(
    sounds: Float[np.ndarray, "N A"],
    reference: Float[np.ndarray, "N A"],
    others: tuple[Float[np.ndarray, "N _"], ...],
    dimensions: int = COMMON_DIMENSIONS,
) -> float:
    """The Fréchet distance between sounds and what they belong to, each on its own principal axes.

    The axes of the sounds are fitted on the reference's. Each side is scaled to a total variance of 1 and not whitened:
    whitened, any two sets are alike, the reference's distance is 0, and the other modality is not seen at all.
    """
    made, real = _weighed(sounds, reference), _weighed(reference, reference)
    target = np.concatenate([_weighed(block, block) for block in others], axis=1)
    count = min(dimensions, len(real) - 1, real.shape[1], target.shape[1])
    return frechet_distance(_on_axes(made, real, count), _on_axes(target, target, count))


def _weighed(rows: Float[np.ndarray, "N D"], reference: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D"]:
    spread = reference.std(0, dtype=np.float64)
    centred = rows.astype(np.float64) - reference.mean(0, dtype=np.float64)
    return np.asarray(centred / np.where(spread > 0, spread, 1) / np.sqrt(rows.shape[1]))


def _on_axes(
    rows: Float[np.ndarray, "N D"], reference: Float[np.ndarray, "K D"], count: int
) -> Float[np.ndarray, "N k"]:
    """Rows on the principal axes of a reference whose mean is 0, in units of its whole deviation."""
    axes = np.linalg.svd(reference, full_matrices=False)[2][:count]
    whole = np.sqrt(np.sum(reference**2) / (len(reference) - 1))
    return np.asarray(rows @ axes.T / (whole or 1))
