"""The energy of a sound over time: its curve, how two curves go together, and levels of stretches. Knows no model."""

import numpy as np
from jaxtyping import Float

HOP_S = 0.04  # one latent frame of a 25 Hz latent; finer ripples are timbre rather than dynamics
RANGE_DB = 50.0  # what lies this far below a clip's own peak counts as silence


def energy_curve(samples: Float[np.ndarray, "S"], rate_hz: int, hop_s: float = HOP_S) -> Float[np.ndarray, "T"]:
    """The level of each hop in dB above a floor `RANGE_DB` below the loudest hop, so from 0 to `RANGE_DB`.

    Silence is all zeros. A last hop that is not whole is left out.
    """
    hop = round(hop_s * rate_hz)
    blocks = samples[: len(samples) // hop * hop].reshape(-1, hop).astype(np.float64)
    level_db = 10 * np.log10(np.mean(blocks**2, axis=1) + 1e-12)
    if not len(level_db) or level_db.max() < -100:
        return np.zeros(len(level_db))
    return np.asarray(np.maximum(level_db - level_db.max() + RANGE_DB, 0))


def energy_correlation(
    one: Float[np.ndarray, "S"], other: Float[np.ndarray, "S"], rate_hz: int, hop_s: float = HOP_S
) -> float:
    """Pearson's correlation of two sounds' energy curves; 1 if both are flat, 0 if only one is."""
    return correlation_of_curves(energy_curve(one, rate_hz, hop_s), energy_curve(other, rate_hz, hop_s))


def correlation_of_curves(one: Float[np.ndarray, "T"], other: Float[np.ndarray, "T"]) -> float:
    """The same of the curves themselves."""
    x, y = one - one.mean(), other - other.mean()
    spread_x, spread_y = np.sqrt(np.mean(x**2)), np.sqrt(np.mean(y**2))
    flat_db = 0.1
    if spread_x < flat_db or spread_y < flat_db:
        return float(spread_x < flat_db and spread_y < flat_db)
    return float(np.mean(x * y) / (spread_x * spread_y))


def level_db(samples: Float[np.ndarray, "S"]) -> float:
    """The mean power of a stretch in dB relative to full scale; -120 for silence and for an empty stretch."""
    if not len(samples):
        return -120.0
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-12))
