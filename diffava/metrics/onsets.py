"""When impacts begin in a sound: rises of energy, overall and in eight bands. Knows no picture and no model.

Bands and thresholds are ours, chosen on clips composed of the recordings that a generator learns from; on clips of
held-out recordings, whose onsets the score says, its F1 at ±50 ms is 0.93 (a die that rolls on is heard more often than
the score says, a soft door less). That is the ceiling of whatever is measured with it.
"""

import numpy as np
from jaxtyping import Float

HOP_S = 0.005
EDGES_HZ = (0, 200, 400, 800, 1600, 3200, 6400, 12_800, 24_000)
FLOOR_DB = -42.0  # below the loudest moment: what rises only up to here is no event
BEFORE_HOPS = 8  # a rise is counted from the loudest of these, so that a ripple or a tail is none
ATTACK_HOPS = 4  # over which an attack may spread
LEAST_RISE_DB = 12.0
NEAR_HOPS = 6  # an onset is the largest rise as near as this
LEAST_GAP_S = 0.15
BAND_SHARE = 0.3  # of the mean rise of the bands, which hear a contact inside another sound, beside the whole's


def onsets_s(samples: Float[np.ndarray, "S"], rate_hz: int) -> tuple[float, ...]:
    """The seconds at which impacts begin; none in silence."""
    power = _band_power(samples, rate_hz)
    whole = power.sum(1, keepdims=True)
    if not len(whole) or whole.max() < 1e-8:
        return ()
    floor = float(whole.max()) * 10 ** (FLOOR_DB / 10)
    rise = (1 - BAND_SHARE) * _rise_db(whole, floor) + BAND_SHARE * _rise_db(power, floor / 4)
    attack = np.convolve(np.append(rise, np.zeros(ATTACK_HOPS - 1)), np.ones(ATTACK_HOPS), "valid")
    found: list[float] = []
    last = -round(LEAST_GAP_S / HOP_S)
    for hop in map(int, np.flatnonzero(attack >= LEAST_RISE_DB)):
        near = attack[max(0, hop - NEAR_HOPS) : hop + NEAR_HOPS + 1]
        if attack[hop] == near.max() and hop >= last + LEAST_GAP_S / HOP_S:
            last = hop
            found.append(float(hop + np.argmax(rise[hop : hop + ATTACK_HOPS])) * HOP_S)
    return tuple(found)


def _band_power(samples: Float[np.ndarray, "S"], rate_hz: int) -> Float[np.ndarray, "T bands"]:
    """The power of each band in windows of two hops that end a hop after their moment."""
    hop = round(HOP_S * rate_hz)
    padded = np.concatenate([np.zeros(hop), samples, np.zeros(hop)]).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop)[::hop]
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(2 * hop), axis=1)) ** 2
    starts = np.searchsorted(np.fft.rfftfreq(2 * hop, 1 / rate_hz), EDGES_HZ[:-1])
    return np.asarray(np.add.reduceat(spectrum, starts, axis=1))


def _rise_db(power: Float[np.ndarray, "T bands"], floor: float) -> Float[np.ndarray, "T"]:
    """By how much the level exceeds the loudest of the hops before it, meaned over bands."""
    level_db = 10 * np.log10(power + floor)
    earlier = np.concatenate([np.tile(level_db.min(0), (BEFORE_HOPS, 1)), level_db])[:-1]
    loudest = np.lib.stride_tricks.sliding_window_view(earlier, BEFORE_HOPS, axis=0).max(-1)
    return np.asarray(np.maximum(level_db - loudest, 0).mean(1))
