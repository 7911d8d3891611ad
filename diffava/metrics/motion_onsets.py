"""What AV-Align compares: onsets of a sound by librosa's defaults, and the mean optical flow of a film by OpenCV.

Both are upstream's detectors with upstream's settings (TempoTokens, av_align.py at bf0b1e3), since the score means
nothing with others. Needs librosa and OpenCV.
"""

from collections.abc import Iterable

import cv2
import numpy as np
import soxr
from jaxtyping import Float, UInt8

from diffava.metrics.librosa_onset import frames_to_time, onset_detect, onset_strength

RATE_HZ = 22_050  # librosa.load's


def librosa_onsets_s(samples: Float[np.ndarray, "S"], rate_hz: int) -> list[float]:
    """The onsets of one channel, in seconds, on a grid of 512 samples at 22.05 kHz; none in silence."""
    wave = soxr.resample(samples, rate_hz, RATE_HZ).astype(np.float32)
    if not wave.any():
        return []
    strength = onset_strength(y=wave, sr=RATE_HZ)
    frames = onset_detect(onset_envelope=strength, sr=RATE_HZ)
    return [float(time) for time in frames_to_time(frames, sr=RATE_HZ)]


def flow_trajectory(pictures: Iterable[UInt8[np.ndarray, "height width 3"]]) -> list[float]:
    """The mean length of Farneback's flow into each picture, in pixels; the first one's is the second one's again.

    Args:
        pictures: RGB, one after the other; only two are held.

    Returns:
        As many values as pictures; none for fewer than two pictures, where upstream fails.
    """
    lengths: list[float] = []
    before = None
    for picture in pictures:
        grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
        if before is not None:
            flow = cv2.calcOpticalFlowFarneback(before, grey, None, 0.5, 3, 15, 3, 5, 1.2, 0)  # type: ignore[call-overload]
            lengths.append(float(cv2.mean(cv2.magnitude(flow[..., 0], flow[..., 1]))[0]))
        before = grey
    return lengths[:1] + lengths
