"""When sounds begin in an audio file: peaks of spectral flux, placed on the steepest rise. Knows nothing of pictures.

Reads the file in blocks, so that memory does not grow with its length.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import soundfile

from diffava_resolve.errors import MediaError

_HOP_S = 0.010
_FLOOR = 1e-4  # of full scale; what lies below is silence. Log compression lets quiet attacks count beside loud ones.
_BANDS, _LOWEST_HZ = 24, 60.0

# A peak must be the largest within 30 ms, and stand this far (nepers, mean over the bands) above the 200 ms around it.
_PEAK_HOPS, _AROUND_HOPS, _MIN_FLUX = 3, 10, 0.15

# The envelope must rise by this much (nepers) at the onset: the click of a sound that ends abruptly is none.
_MIN_RISE = 0.35
_STEPS_PER_HOP, _RISE_STEPS = 10, 3  # the envelope has one value a millisecond

_BLOCK_HOPS = 100  # of a file that are read and analysed at once


@dataclass(frozen=True)
class _Hop:
    """10 ms of sound: how much its spectrum has risen, and the log envelope in steps of 1 ms."""

    flux: float
    envelope: np.ndarray


_SILENCE = _Hop(0.0, np.full(_STEPS_PER_HOP, np.log(_FLOOR)))


def onsets_s(path: Path) -> tuple[float, ...]:
    """The seconds, from the file's start, at which sounds begin; to a few milliseconds for clear attacks.

    Spectral flux: the mean over up to 24 bands of the positive changes of the log peak magnitude between windows of
    20 ms, 10 ms apart (the idea of librosa's `onset_strength`; bands and thresholds are our choice); its peaks are
    placed where the envelope rises most. What already sounds in the file's first 10 ms has no onset.

    Raises:
        MediaError: The file cannot be read as audio.
    """
    reach = _AROUND_HOPS
    around = deque([_SILENCE] * reach, maxlen=2 * reach + 1)
    onsets: list[float] = []
    for index, hop in enumerate(chain(_hops(path), [_SILENCE] * reach), -reach):
        around.append(hop)
        if index >= 0 and _is_peak(np.array([one.flux for one in around])):
            rise, step = _steepest_rise([one.envelope for one in around][reach - 1 : reach + 2])
            if rise > _MIN_RISE:
                onsets.append((index - 1) * _HOP_S + step * _HOP_S / _STEPS_PER_HOP)
    return tuple(onsets)


def _hops(path: Path) -> Iterator[_Hop]:
    starts: np.ndarray | None = None
    bands_before: np.ndarray | None = None
    for windows, rate_hz in _windows(path):
        window_samples = windows.shape[1]
        if starts is None:
            taper, starts = np.hanning(window_samples), _band_starts(window_samples, rate_hz)
            step_starts = _step_starts(window_samples // 2)
            step_samples = np.diff([*step_starts, window_samples // 2])
        spectra = np.abs(np.fft.rfft(windows * taper)) * (4 / window_samples)
        bands = np.log(np.maximum.reduceat(spectra, starts, axis=1) + _FLOOR)
        risen = np.diff(bands, axis=0, prepend=bands[:1] if bands_before is None else bands_before)
        bands_before = bands[-1:]
        powers = np.add.reduceat(windows[:, window_samples // 2 :] ** 2, step_starts, axis=1) / step_samples
        yield from map(_Hop, np.maximum(risen, 0).mean(axis=1).tolist(), np.log(np.sqrt(powers) + _FLOOR))


def _step_starts(hop_samples: int) -> np.ndarray:
    """Where the steps of a hop begin; the first ones are a sample longer where it does not divide."""
    each, longer = divmod(hop_samples, _STEPS_PER_HOP)
    return np.arange(_STEPS_PER_HOP) * each + np.minimum(np.arange(_STEPS_PER_HOP), longer)


def _band_starts(window_samples: int, rate_hz: int) -> np.ndarray:
    """The first bin of each band, evenly spaced in log frequency; low bands that would share a bin are one."""
    edges_hz = np.geomspace(_LOWEST_HZ, rate_hz / 2, _BANDS + 1)
    return np.unique(np.searchsorted(np.fft.rfftfreq(window_samples, 1 / rate_hz), edges_hz[:-1]))


def _windows(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Mono windows of two hops, one hop apart, `[n, 2 hops]`, and the rate; the first begins a hop before the file."""
    try:
        with soundfile.SoundFile(path) as file:
            hop = round(_HOP_S * file.samplerate)
            before = np.zeros(hop)
            for block in file.blocks(hop * _BLOCK_HOPS, dtype="float64", always_2d=True):
                mono = np.pad(block.mean(axis=1), (0, -len(block) % hop))  # the last hop is filled up with silence
                samples = np.concatenate([before, mono])
                yield np.lib.stride_tricks.sliding_window_view(samples, 2 * hop)[::hop], file.samplerate
                before = mono[-hop:]
    except (soundfile.LibsndfileError, OSError) as error:
        raise MediaError(f"The audio file {path} cannot be read ({error}); make it again or relink it.") from error


def _is_peak(flux: np.ndarray) -> bool:
    """Whether the middle value is the first of the largest near it, and stands out."""
    middle = len(flux) // 2
    before, after = flux[middle - _PEAK_HOPS : middle], flux[middle + 1 : middle + 1 + _PEAK_HOPS]
    value = flux[middle]
    return bool(value > before.max() and value >= after.max() and value > flux.mean() + _MIN_FLUX)


def _steepest_rise(envelopes: Iterable[np.ndarray]) -> tuple[float, int]:
    """The largest rise of the envelope over 3 ms, in nepers, and the step at which it happens."""
    envelope = np.concatenate([*envelopes])
    means = np.convolve(envelope, np.full(_RISE_STEPS, 1 / _RISE_STEPS), mode="valid")
    rises = means[_RISE_STEPS:] - means[:-_RISE_STEPS]
    steepest = int(rises.argmax())
    return float(rises[steepest]), steepest + _RISE_STEPS
