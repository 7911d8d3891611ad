"""One picture that shows a take at a glance: what is seen, what is heard, and whether they meet.

Thumbnails, waveform and spectrogram stand over one time axis; cuts are lines through all of them, the picture's hits
are marks above the waveform with lines through both, onsets heard in the take are marks below it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diffava_resolve.spec import SAMPLE_RATE_HZ

_INK, _PAPER, _FAINT = "#1d2430", "#fbfaf7", "#c9c6bd"
_WAVE, _CUT, _HIT, _ONSET = "#2f6f8f", "#1d2430", "#d1495b", "#2f6f8f"
_WIDTH_INCHES, _HEIGHT_INCHES = 16, 9  # at 100 dots an inch
_FFT_SAMPLES = 1024
_HOP_SAMPLES = 256


@dataclass(frozen=True)
class Thumbnail:
    """A picture, uint8 `[height, width, 3]`, that stands for `start_s` to `stop_s`."""

    start_s: float
    stop_s: float
    rgb: np.ndarray


@dataclass(frozen=True)
class TakePicture:
    """All that the picture shows; seconds count from the region's start."""

    title: str
    subtitle: str
    measured: str  # how hits and onsets meet, in words
    thumbnails: Sequence[Thumbnail]
    samples: np.ndarray  # float32 [S] at SAMPLE_RATE_HZ
    cuts_s: Sequence[float]
    hits_s: Sequence[float]
    onsets_s: Sequence[float]
    labels: Sequence[tuple[float, str]]  # ticks of the time axis: second and timecode


def draw(content: TakePicture, target: Path) -> None:
    """Draw `content` as a .png of 1600 x 900 pixels into `target`."""
    duration_s = len(content.samples) / SAMPLE_RATE_HZ
    figure = Figure(figsize=(_WIDTH_INCHES, _HEIGHT_INCHES), dpi=100, facecolor=_PAPER)
    strip, wave, spectrum = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": [0.78, 1.7, 2.5], "hspace": 0.06}
    )
    figure.subplots_adjust(left=0.06, right=0.975, top=0.87, bottom=0.075)
    figure.text(0.06, 0.952, content.title, fontsize=20, color=_INK, weight="bold")
    figure.text(0.06, 0.919, content.subtitle, fontsize=12, color="#5a6170")
    figure.text(0.06, 0.889, content.measured, fontsize=12, color=_INK)
    _draw_strip(strip, content.thumbnails, duration_s)
    _draw_wave(wave, content.samples, duration_s)
    _draw_spectrum(spectrum, content.samples, duration_s)
    for axes in (strip, wave, spectrum):
        for cut in content.cuts_s:
            axes.axvline(cut, color=_CUT if axes is not spectrum else "white", linewidth=1.6, linestyle=(0, (5, 3)))
        for side in axes.spines.values():
            side.set_visible(False)
        axes.tick_params(colors=_INK, labelsize=11, length=0)
    _mark(wave, content.hits_s, 1.07, "v", _HIT, "hits in the picture")
    spectrum.vlines(list(content.hits_s), 0, 1, color="white", linewidth=0.7, alpha=0.5)
    _mark(wave, content.onsets_s, -1.07, "^", _ONSET, "onsets heard in the take")
    wave.plot([], [], color=_CUT, linewidth=1.6, linestyle=(0, (5, 3)), label="cuts")
    figure.legend(
        *wave.get_legend_handles_labels(),
        loc="upper right", bbox_to_anchor=(0.98, 0.965), ncols=3, frameon=False, fontsize=11, labelcolor=_INK,
    )  # fmt: skip
    spectrum.set_xlim(0, duration_s)
    spectrum.set_xticks([second for second, _ in content.labels], [label for _, label in content.labels])
    figure.savefig(target, format="png", facecolor=_PAPER)


def _draw_strip(axes: Axes, thumbnails: Sequence[Thumbnail], duration_s: float) -> None:
    """Each thumbnail fills its time, its sides cropped so that its shapes stay true."""
    axes.set_xlim(0, duration_s)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    box = axes.get_position()
    strip_aspect = box.width * _WIDTH_INCHES / (box.height * _HEIGHT_INCHES)
    for thumbnail in thumbnails:
        height, width = thumbnail.rgb.shape[:2]
        span_s = thumbnail.stop_s - thumbnail.start_s
        kept = min(width, round(height * strip_aspect * span_s / duration_s))
        left = (width - kept) // 2
        axes.imshow(
            thumbnail.rgb[:, left : left + kept],
            extent=(thumbnail.start_s, thumbnail.stop_s, 0, 1),
            aspect="auto",
            interpolation="antialiased",
        )
    axes.set_xlim(0, duration_s)


def _draw_wave(axes: Axes, samples: np.ndarray, duration_s: float) -> None:
    """The waveform as its envelope, one column a pixel, since a line through every sample hides its peaks."""
    columns = np.array_split(samples, 1500)
    top = np.array([column.max(initial=0) for column in columns])
    bottom = np.array([column.min(initial=0) for column in columns])
    axes.fill_between(np.linspace(0, duration_s, len(columns)), bottom, top, color=_WAVE, linewidth=0)
    axes.axhline(0, color=_FAINT, linewidth=0.8)
    axes.set_ylim(-1.2, 1.2)
    axes.set_yticks([-1, 0, 1])
    axes.set_facecolor(_PAPER)


def _draw_spectrum(axes: Axes, samples: np.ndarray, duration_s: float) -> None:
    padded = np.pad(samples, (_FFT_SAMPLES // 2, _FFT_SAMPLES))
    starts = np.arange(0, len(samples), _HOP_SAMPLES)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT_SAMPLES)[starts] * np.hanning(_FFT_SAMPLES)
    level_db = 20 * np.log10(np.abs(np.fft.rfft(frames, axis=1)) + 1e-6)
    # Rows are spread evenly over the logarithm of frequency: that is how pitch is heard.
    wanted_hz = np.geomspace(60, SAMPLE_RATE_HZ / 2, 320)
    rows = np.clip((wanted_hz / SAMPLE_RATE_HZ * _FFT_SAMPLES).round().astype(int), 1, _FFT_SAMPLES // 2)
    image = level_db.T[rows]
    ceiling = float(np.percentile(image, 99.7))
    axes.imshow(
        image, origin="lower", aspect="auto", cmap="magma", vmin=ceiling - 70, vmax=ceiling,
        extent=(0, duration_s, 0, 1), interpolation="bilinear",
    )  # fmt: skip
    axes.set_ylim(0, 1)
    ticks_hz = (100, 300, 1000, 3000, 10000)
    axes.set_yticks(
        [float(np.log(hz / 60) / np.log(SAMPLE_RATE_HZ / 2 / 60)) for hz in ticks_hz],
        ["100 Hz", "300", "1 kHz", "3", "10"],
    )


def _mark(axes: Axes, seconds: Sequence[float], height: float, marker: str, colour: str, label: str) -> None:
    axes.plot(list(seconds), [height] * len(seconds), marker, color=colour, markersize=9, label=label, clip_on=False)
    axes.vlines(list(seconds), -1, 1, color=colour, linewidth=0.7, alpha=0.35)
