"""Repeating textures: noise of a grain, streaks, ripples. Knows pixels, no scene."""

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

Texture = Float[np.ndarray, "rows columns"]


def noise(rng: Generator, size: int, grain_pixels: float, stretch: float = 1.0) -> Texture:
    """Smooth noise with mean 0 and deviation 1, of a grain `stretch` times as wide as it is high."""
    fy = np.fft.fftfreq(size)[:, None] * grain_pixels
    fx = np.fft.rfftfreq(size) * grain_pixels * stretch
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * np.exp(-8 * (fx * fx + fy * fy))
    found = np.fft.irfft2(spectrum, (size, size))
    scaled: Texture = ((found - found.mean()) / (found.std() + 1e-9)).astype(np.float32)
    return scaled


def streaks(rng: Generator, size: int, count: int, length: int, slant: float) -> Texture:
    """Fading lines from top to bottom, `slant` pixels aside for each down: drops of rain."""
    found = np.zeros((size, size), np.float32)
    heads, columns = rng.integers(0, size, (2, count))
    strength = rng.uniform(0.4, 1.0, count)
    for k in range(length):
        rows, across = (heads + k) % size, (columns + np.round(slant * k).astype(int)) % size
        found[rows, across] = np.maximum(found[rows, across], strength * (k + 1) / length)
    return found


def ripples(rng: Generator, size: int, bands: int) -> Texture:
    """Light crests of waves in rows, from 0 to 1."""
    bent = noise(rng, size, size / 10, stretch=3.0)
    rows = np.arange(size, dtype=np.float32)[:, None] / size
    crest = np.sin(2 * np.pi * bands * rows + 1.2 * bent)
    found: Texture = (np.clip(crest, 0, 1) ** 4).astype(np.float32)
    return found
