"""A stretch of an audio file as overlapping windows of mono sound at 16 kHz, in blocks: for what is below 8 kHz."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from diffava_resolve.errors import MediaError

RATE_HZ = 16_000
_BLOCK_S = 4
_TAPS_A_STEP = 16


def windows(
    path: Path, length: int, hop: int, start_sample: int = 0, stop_sample: int | None = None
) -> Iterator[np.ndarray]:
    """Blocks of windows `[n, length]` that begin `hop` samples apart; what fills no whole window is left out.

    Args:
        path: The file, at a multiple of 16 kHz.
        length: Of a window, in samples at 16 kHz.
        hop: Likewise.
        start_sample: Where the stretch begins, in samples of the file.
        stop_sample: Where it ends; by default with the file.

    Raises:
        MediaError: The file cannot be read, or has another rate.
    """
    waiting = np.zeros(0)
    for block in _blocks(path, start_sample, stop_sample):
        waiting = np.concatenate([waiting, block])
        count = (len(waiting) - length) // hop + 1
        if count > 0:
            yield np.lib.stride_tricks.sliding_window_view(waiting, length)[::hop][:count]
            waiting = waiting[count * hop :]


def _blocks(path: Path, start_sample: int, stop_sample: int | None) -> Iterator[np.ndarray]:
    """The sound at 16 kHz, behind a low-pass filter whose delay is taken off again."""
    try:
        with soundfile.SoundFile(path) as file:
            step, rest = divmod(file.samplerate, RATE_HZ)
            if rest or not step:
                raise MediaError(f"{path} has {file.samplerate} Hz, which is no multiple of {RATE_HZ}; resample it.")
            half = _TAPS_A_STEP * step
            taps = np.sinc(np.arange(-half, half + 1) / step) * np.hanning(2 * half + 3)[1:-1]
            taps /= taps.sum()
            file.seek(start_sample)
            left = (file.frames if stop_sample is None else stop_sample) - start_sample
            waiting = np.zeros(half)
            while left > 0:
                block = file.read(min(left, _BLOCK_S * file.samplerate), dtype="float64", always_2d=True)
                if not len(block):
                    break
                left -= len(block)
                tail = np.zeros(half if left <= 0 else 0)
                waiting = np.concatenate([waiting, block.mean(axis=1), tail])
                count = (len(waiting) - 2 * half - 1) // step + 1
                if count > 0:
                    yield np.convolve(waiting, taps, "valid")[::step][:count]
                    waiting = waiting[count * step :]
    except (soundfile.LibsndfileError, OSError) as error:
        raise MediaError(f"The audio file {path} cannot be read ({error}); make it again or relink it.") from error
