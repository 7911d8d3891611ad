"""Movies with sound, small and of any content, as a library of videos would hold them."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE_HZ = 48_000


def write_movie(path: Path, pictures: Iterable[np.ndarray], rate: Fraction, samples: np.ndarray | None) -> Path:
    """Write pictures (uint8 `[height, width, 3]`) and one channel of sound at 48 kHz; give `.mkv`, which holds PCM."""
    whole = None if samples is None else np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=rate, options={"q:v": "2"})
        audio = None if whole is None else container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for number, picture in enumerate(pictures):
            if not number:
                video.height, video.width = picture.shape[:2]
                video.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(video.encode(frame))
            if audio is not None and whole is not None:  # beside the picture that it belongs to, as files have it
                first, stop = (round(n * RATE_HZ / rate) for n in (number, number + 1))
                container.mux(_block(audio, whole[first:stop], first))
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))
    return path


def _block(stream: av.AudioStream, samples: np.ndarray, first: int) -> list[av.Packet]:
    if not len(samples):
        return []
    block = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    block.sample_rate, block.pts, block.time_base = RATE_HZ, first, Fraction(1, RATE_HZ)
    return stream.encode(block)
