"""A library of toy takes: four kinds that are told apart by pitch, three sessions of each in every split."""

import numpy as np

from diffava.sounds.takes import RATE_HZ, Take, TakeLibrary

KINDS = {"metal_hit": 6000, "keyboard": 1500, "dog_bark": 400, "rain": 12_000}


def toy_library() -> TakeLibrary:
    """Contacts that decay in 0.15 s, a call of 0.4 s and a texture of 2 s; each is noise around its kind's pitch."""
    rng = np.random.default_rng(0)
    takes, pieces, start = [], [], 0
    for kind, pitch_hz in KINDS.items():
        length_s = {"dog_bark": 0.4, "rain": 2.0}.get(kind, 0.15)
        for split in ("generator", "judge", "held_out"):
            for session in range(3):
                time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
                tone = sum(np.sin(2 * np.pi * pitch_hz * rng.uniform(0.9, 1.1) * time_s) for _ in range(4)) / 4
                decay = np.exp(-time_s / 0.04) if length_s < 0.2 else 1.0
                pieces.append((15_000 * tone * decay).astype(np.int16))
                takes.append(Take(kind, split, f"{kind}-{split}-{session}", kind, start, start + len(time_s)))
                start += len(time_s)
    return TakeLibrary(np.concatenate(pieces), tuple(takes))


def striped(score, frame_rate, size_pixels):
    """Pictures that are another noise for every score, in no time."""
    rng = np.random.default_rng(score.scene_seed)
    count = round(score.duration_s * float(frame_rate))
    one = rng.integers(0, 256, (1, size_pixels, size_pixels, 3), np.uint8)
    return np.repeat(one, count, axis=0)
