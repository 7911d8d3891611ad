"""A second opinion on loudness and true peaks: FFmpeg's `ebur128` and libpyloudnorm, on a finished file."""

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pyloudnorm
import soundfile

RATE_HZ = 48_000
BLOCK_SAMPLES = RATE_HZ * 2 // 5


class Metered(NamedTuple):
    """By FFmpeg: integrated loudness and true peak; by pyloudnorm: integrated loudness. Of one channel."""

    ffmpeg_lufs: float
    true_peak_dbtp: float
    pyloudnorm_lufs: float


def metered(path: Path) -> Metered:
    """What both say of a WAV; one shorter than a gating block gets silence up to it."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == RATE_HZ
    samples = np.pad(samples, (0, max(0, BLOCK_SAMPLES - len(samples))))
    return Metered(*_by_ffmpeg(samples), pyloudnorm.Meter(RATE_HZ).integrated_loudness(samples.astype(np.float64)))


def _by_ffmpeg(samples: np.ndarray) -> tuple[float, float]:
    graph = av.filter.Graph()
    source = graph.add("abuffer", f"sample_rate={RATE_HZ}:sample_fmt=flt:channel_layout=mono:time_base=1/{RATE_HZ}")
    meter, sink = graph.add("ebur128", "metadata=1:peak=true:framelog=quiet"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
    source.push(frame)
    source.push(None)
    last = {}
    while True:
        try:
            last = dict(sink.pull().metadata) or last
        except (av.error.BlockingIOError, av.error.EOFError):
            return float(last["lavfi.r128.I"]), 20 * np.log10(max(float(last["lavfi.r128.true_peaks_ch0"]), 1e-10))
