"""Integrated loudness of a take by EBU R 128, measured by FFmpeg's `ebur128` filter. Knows no timeline.

The filter reads block by block and keeps a histogram, so memory does not grow with the file; pyloudnorm, which needs
the whole array at once, agrees with it within 0.1 LU on noise (a test holds that).
"""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from diffava_resolve.spec import SAMPLE_RATE_HZ
from diffava_resolve.timeline.audio_file import read_blocks

ABSOLUTE_GATE_LUFS = -70.0


def integrated_loudness_lufs(path: Path) -> float | None:
    """Loudness of a mono WAV in LUFS, as one channel.

    None where the standard gives no number: below the absolute gate (silence), or shorter than one block of 400 ms.

    Raises:
        MediaError: The file cannot be read.
    """
    return loudness_of_blocks(read_blocks(path))


def loudness_of_blocks(blocks: Iterable[np.ndarray]) -> float | None:
    """The same of mono blocks `[S]` at `SAMPLE_RATE_HZ`."""
    graph = av.filter.Graph()
    source = graph.add(
        "abuffer",
        f"sample_rate={SAMPLE_RATE_HZ}:sample_fmt=flt:channel_layout=mono:time_base=1/{SAMPLE_RATE_HZ}",
    )
    meter = graph.add("ebur128", "metadata=1:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    loudness_lufs, position = ABSOLUTE_GATE_LUFS, 0
    for block in blocks:
        if not len(block):
            continue  # the filter takes no empty frames
        frame = av.AudioFrame.from_ndarray(block[np.newaxis].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, position, Fraction(1, SAMPLE_RATE_HZ)
        source.push(frame)
        loudness_lufs = _latest(sink, loudness_lufs)
        position += len(block)
    source.push(None)
    loudness_lufs = _latest(sink, loudness_lufs)
    return loudness_lufs if loudness_lufs > ABSOLUTE_GATE_LUFS else None


def _latest(sink: av.filter.context.FilterContext, loudness_lufs: float) -> float:
    """The integrated loudness so far, from what the filter has let through since the last call."""
    while True:
        try:
            frame = sink.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return loudness_lufs
        loudness_lufs = float(frame.metadata.get("lavfi.r128.I", loudness_lufs))
