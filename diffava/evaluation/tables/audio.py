"""Sounds as a table's definition wants them: which channel, at which rate, with what taken off. Knows files."""

from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

from diffava.errors import DataError
from diffava.evaluation.tables.sinc_resample import sinc_resample

AUDIOLDM_EVAL = "first channel, mean off, torchaudio's resampling to 16 kHz, at least 2 s"
MONO = "mean of the channels"

AUDIOLDM_EVAL_RATE_HZ = 16_000
LEAST_SAMPLES = 32_000  # audioldm_eval pads with silence to this


def read_sound(path: Path) -> tuple[Float[np.ndarray, "S C"], int]:
    """Every channel of a file, and its rate in Hz.

    Raises:
        DataError: The file is no sound, or an empty one.
    """
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise DataError(f"{path} cannot be read as a sound ({error}); mend it or take it out.") from error
    if not len(samples):
        raise DataError(f"{path} has no samples; make it anew or take it and its pair out.")
    return samples, int(rate_hz)


def load_as_audioldm_eval(path: Path) -> Float[Tensor, "S"]:
    """As audioldm_eval loads since 2023-06 (datasets/load_mel.py at 8dc07ee), at 16 kHz.

    Neither loudness nor length is matched. The code from before, which the AudioLDM and DiffAVA papers used, took every
    second or third sample instead of resampling: their numbers are not comparable.
    """
    samples, rate_hz = read_sound(path)
    first = torch.from_numpy(samples[:, 0].copy())
    resampled = sinc_resample(first - first.mean(), rate_hz, AUDIOLDM_EVAL_RATE_HZ)
    return torch.nn.functional.pad(resampled, (0, max(0, LEAST_SAMPLES - len(resampled))))


def load_mono(path: Path, rate_hz: int) -> Float[np.ndarray, "S"]:
    """The mean of the channels, resampled with care (soxr)."""
    samples, own_rate_hz = read_sound(path)
    mean = samples.mean(1)
    return np.asarray(mean if own_rate_hz == rate_hz else soxr.resample(mean, own_rate_hz, rate_hz), np.float32)


def duration_s(path: Path) -> float:
    """How long a sound is, from its header."""
    return float(soundfile.info(path).duration)
