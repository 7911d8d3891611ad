"""A movie of a region with its foley: what the viewer sees and hears, to be played anywhere."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from diffava_resolve.spec import SAMPLE_RATE_HZ

_AUDIO_FRAME_SAMPLES = 1024


def write_preview(target: Path, pictures: Iterable[np.ndarray], rate: Fraction, samples: np.ndarray) -> None:
    """Encode pictures and one take into `target` (H.264 and AAC in an .mp4).

    Args:
        target: Written in place; give it a temporary name and rename it.
        pictures: Blocks of uint8 `[n, height, width, 3]`, one picture a timeline frame.
        rate: The timeline's rate.
        samples: The take, float32 `[S]` at `SAMPLE_RATE_HZ`.
    """
    with av.open(str(target), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast"})
        audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono", bit_rate=192_000)
        for number, picture in enumerate(picture for block in pictures for picture in block):
            if number == 0:
                video.height, video.width, video.pix_fmt = picture.shape[0], picture.shape[1], "yuv420p"
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(video.encode())
        for frame in _audio_frames(samples):
            container.mux(audio.encode(frame))
        container.mux(audio.encode())


def _audio_frames(samples: np.ndarray) -> Iterator[av.AudioFrame]:
    for start in range(0, len(samples), _AUDIO_FRAME_SAMPLES):
        block = np.ascontiguousarray(samples[None, start : start + _AUDIO_FRAME_SAMPLES], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, start
        yield frame
