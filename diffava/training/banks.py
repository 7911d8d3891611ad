"""The banks of one training: what is heard, what CLAP says, and what the picture says of the same composed clips.

Clip number k of a bank is `draw_clip` of the seed `first_seed + k`, so every bank of a split speaks of the same clips.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffava.condition.hits import pick_hits
from diffava.condition.timing_guide import energy_curve, onset_curve
from diffava.features.clap import ClapTextEncoder
from diffava.features.mel_audio import AudioEncoder
from diffava.features.video import VideoEncoder
from diffava.scenes.render import render
from diffava.sounds.captions import caption
from diffava.sounds.composition import Clip, draw_clip, waveform_of
from diffava.sounds.recordings import Split
from diffava.sounds.takes import RATE_HZ, TakeLibrary
from diffava.spec import Spec
from diffava.training.clip_bank import ClipBank, build_bank
from diffava.waveform.mel import MelAnalysis
from diffava.waveform.stacked_pca import StackedPca

EXACT_CAPTIONS, VAGUE_CAPTIONS = 4, 2  # of each clip, drawn anew from its phrases
HOP_SAMPLES = RATE_HZ // 100
SILENT = 0.25  # of the energy curve: a second that never rises above 45 dB below full scale


@dataclass(frozen=True)
class ClipSource:
    """Which clips a bank speaks of."""

    library: TakeLibrary
    split: Split
    first_seed: int
    count: int
    duration_s: float

    def clip(self, number: int) -> Clip:
        """Clip number `number`."""
        return draw_clip(self.library, self.split, self.duration_s, self.first_seed + number)

    @property
    def info(self) -> dict[str, Any]:
        """What a bank of these clips depends on, in plain values."""
        return {"split": self.split, "first_seed": self.first_seed, "duration_s": self.duration_s}


def sound_bank(folder: Path, source: ClipSource, spec: Spec, pca: StackedPca) -> ClipBank:
    """`latent [C, L]`, and the true guide: `energy [L, K]` and `onsets [L, K]`."""
    analysis = MelAnalysis(spec)
    frames, steps, hop = spec.latent_frames(round(source.duration_s * RATE_HZ)), spec.vae_factor, spec.hop_samples

    def entry(number: int) -> Mapping[str, Any]:
        clip = source.clip(number)
        samples = torch.from_numpy(waveform_of(clip, source.library))
        hits = sorted(hit.time_s * RATE_HZ for sound in clip.score.sources for hit in sound.hits)
        return {
            "latent": pca.encode(analysis(samples)[: frames * steps])[..., 0].half().numpy(),
            "energy": energy_curve(samples, hop, frames, steps).half().numpy(),
            "onsets": onset_curve(hits, hop, frames, steps).half().numpy(),
        }

    return build_bank(folder, source.count, entry, source.info)


def text_bank(folder: Path, source: ClipSource, text: ClapTextEncoder) -> ClipBank:
    """What CLAP says of `exact [4, D]` and `vague [2, D]` captions of each clip."""
    embed = cache(lambda caption: text.encode([caption])[0].half().numpy())  # many clips share a caption

    def entry(number: int) -> Mapping[str, Any]:
        clip = source.clip(number)
        rng = np.random.default_rng((1, source.first_seed + number))
        return {
            "exact": np.stack([embed(caption(clip.score, rng)) for _ in range(EXACT_CAPTIONS)]),
            "vague": np.stack([embed(caption(clip.score, rng, vague=0.8)) for _ in range(VAGUE_CAPTIONS)]),
        }

    return build_bank(folder, source.count, entry, source.info)


def audio_bank(folder: Path, source: ClipSource, audio: AudioEncoder) -> ClipBank:
    """What CLAP hears in each clip, `audio [D]`, and in each of its whole seconds, `seconds [T, D]`.

    A second without sound has the clip's own embedding. That of silence, which two fifths of the seconds would have,
    pulls the mean of an aligned clip, and so its sound, towards silence.
    """

    def entry(number: int) -> Mapping[str, Any]:
        samples = torch.from_numpy(waveform_of(source.clip(number), source.library))
        whole = samples[: math.floor(source.duration_s) * RATE_HZ]
        audio_of_clip = audio.encode(samples[None])[0]
        silent = torch.tensor([_is_silent(second) for second in torch.split(whole, RATE_HZ)])
        seconds = torch.where(silent[:, None], audio_of_clip, audio.encode_seconds(whole[None])[0])
        return {"audio": audio_of_clip.half().numpy(), "seconds": seconds.half().numpy()}

    return build_bank(folder, source.count, entry, {**source.info, "silent_second": "clip"})


def _is_silent(second: Float[Tensor, "S"]) -> bool:
    return bool(energy_curve(second, HOP_SAMPLES, len(second) // HOP_SAMPLES, 1).max() < SILENT)


def picture_bank(
    folder: Path, source: ClipSource, spec: Spec, encoder: VideoEncoder, *, unseen: bool = False
) -> ClipBank:
    """What each clip's rendered scene says: `tokens [T, V]`, and its guide `seen_energy`, `seen_onsets` [L, K].

    Onsets are picked and drawn as those of a score are, since that is what the control branch is given in use.
    `unseen` renders what no training scene has.
    """
    frames, steps = spec.latent_frames(round(source.duration_s * RATE_HZ)), spec.vae_factor

    def entry(number: int) -> Mapping[str, Any]:
        rgb = render(source.clip(number).score, spec.frame_rate, spec.frame_size_pixels, unseen=unseen)
        groups = list(encoder.encode_shot(torch.split(torch.from_numpy(rgb), encoder.group_frames)))
        guides = [group.guide for group in groups if group.guide is not None]
        hits = pick_hits(torch.cat([guide.onsets for guide in guides]), float(spec.frame_rate))
        onsets = onset_curve([time_s * RATE_HZ for time_s in hits], spec.hop_samples, frames, steps)
        return {
            "tokens": torch.stack([group.token for group in groups]).half().numpy(),
            "seen_energy": torch.cat([guide.energy for guide in guides])[:frames].half().numpy(),
            "seen_onsets": onsets.half().numpy(),
        }

    return build_bank(folder, source.count, entry, {**source.info, "unseen": unseen})
