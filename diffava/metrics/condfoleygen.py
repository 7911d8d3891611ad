"""Onset accuracy and average precision as CondFoleyGen defines them (Du et al. 2023, `predict_onset.py`).

The protocol's own quirks are kept, since they are what the number means: accuracy is a recall; references that are
left when the predictions are used up do not enter the average precision, and a clip without any prediction has one of
1, so the two are only to be read together. MMAudio's script of a similar name measures something else. Needs librosa,
which brings scikit-learn.
"""

from dataclasses import dataclass

import numpy as np
import soxr
from jaxtyping import Float
from sklearn.metrics import average_precision_score

from diffava.metrics.librosa_onset import onset_detect

RATE_HZ = 22_050
DELTA = 0.3  # of librosa's peak picking
SUPPRESSION_S = 0.05
REACH = int(0.05 * RATE_HZ)  # to either side of an onset, for how sure it is
TOLERANCE_S = 0.1


@dataclass(frozen=True, eq=False)
class Onsets:
    """The onsets of a clip, how sure each is (the largest sample near it), and the clip's rectified wave, 0 to 1."""

    samples: tuple[int, ...]
    confidences: tuple[float, ...]
    wave: Float[np.ndarray, "S"]


@dataclass(frozen=True)
class OnsetAgreement:
    """One clip's figures: hits per reference, average precision, and whether the number of onsets is right."""

    accuracy: float
    average_precision: float
    same_count: bool


def condfoleygen_onsets(samples: Float[np.ndarray, "S"], rate_hz: int) -> Onsets:
    """The onsets of a clip by the protocol's detector, none of them left out yet."""
    wave = soxr.resample(samples, rate_hz, RATE_HZ).astype(np.float32)
    found = onset_detect(y=wave, sr=RATE_HZ, units="samples", delta=DELTA)
    rectified = np.abs(wave)
    span = float(np.ptp(rectified))
    rectified = (rectified - rectified.min()) / span if span > 0 else np.zeros_like(rectified)
    # librosa may place an onset at the very end, behind the last sample.
    rectified = np.pad(rectified, (0, max(0, int(max(found, default=-1)) + 1 - len(rectified))))
    confidences = [float(rectified[max(0, at - REACH) : at + REACH].max()) for at in found]
    return Onsets(tuple(int(at) for at in found), tuple(confidences), rectified)


def suppressed(onsets: Onsets) -> dict[int, float]:
    """The onsets that no surer one lies close to, in order, with how sure each is.

    After an onset that it drops, the protocol's loop steps over the next one unseen; so does this.
    """
    sure = dict(zip(onsets.samples, onsets.confidences, strict=True))
    left, kept = list(onsets.samples), []
    for k in np.argsort(onsets.confidences)[::-1]:
        at = onsets.samples[k]
        if at not in left:
            continue
        kept.append(at)
        left.remove(at)
        position = 0
        while position < len(left):
            if abs(at - left[position]) < SUPPRESSION_S * RATE_HZ:
                del left[position]
            position += 1
    return {at: sure[at] for at in sorted(kept)}


def onset_agreement(wanted: Onsets, found: Onsets, tolerance_s: float = TOLERANCE_S) -> OnsetAgreement:
    """Compare a generated clip's onsets with the reference's, which must have some.

    Raises:
        ValueError: The reference has no onset, so that there is nothing to be right about.
    """
    if not wanted.samples:
        raise ValueError("the reference clip has no onset; leave it out")
    unused = suppressed(found)
    predictions = len(unused)
    truth: list[int] = []
    scores: list[float] = []
    hits = 0
    for at in wanted.samples:
        near = [other for other in unused if abs(other - at) < tolerance_s * RATE_HZ]
        truth.append(1)
        if not near:
            scores.append(0.0)
            continue
        hits += 1
        scores.append(unused.pop(max(near, key=lambda sample: found.wave[sample])))
        if not unused:
            break
    truth += [0] * len(unused)
    scores += unused.values()
    return OnsetAgreement(
        hits / len(wanted.samples), float(average_precision_score(truth, scores)), len(wanted.samples) == predictions
    )
