"""A model's frozen encoders over one clip: what eq. 2 and the control branch learn from. Knows no file.

`seconds [T, D]` and `present [T]`: what CLAP hears in each whole second, and which seconds the clip has. `sound [D]`:
what it hears in the whole clip. `video [T, V]`: the picture's tokens. `captions [K, D]`: what CLAP reads. For control
also `latent [C, L, M]`, the sound's own `energy [L, K]` and `onsets [L, K]`, and, where the picture encoder tells time,
`seen_energy` and `seen_onsets`. All but `present` in half precision.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffava.checkpoints.folder import weights_sha256
from diffava.condition.hits import pick_hits
from diffava.condition.timing_guide import energy_curve, onset_curve
from diffava.errors import ConfigError, DataError, RequestError
from diffava.features.clap import ClapAudioEncoder
from diffava.features.encoder import PromptAndPictureEncoder
from diffava.features.mel_audio import AudioEncoder
from diffava.features.video import SeenGroup
from diffava.metrics.onsets import onsets_s
from diffava.pipeline import FoleyPipeline
from diffava.sounds.takes import RATE_HZ
from diffava.training.prepared.media import Media

CAPTIONS_REMEMBERED = 4096  # many clips share a label
NEARLY_S = 0.1  # a second that lacks less than this is a whole one: files end a frame early
PEAK = 0.5  # of AudioLDM's training sounds
ENCODERS = ("clap_text", "video")
CODECS = ("vae", "stacked_pca")


@dataclass(frozen=True)
class Settings:
    """What the paper leaves open about a clip.

    A second's sound is heard in a window of `audio_window_s` that begins with it: 1 s is our choice, 2 s a variant that
    hears more. `clip_s` 0 means what the model's denoiser spans. `for_control` adds what the control branch learns
    from. With `level_sound`, the latent is that of the sound without its mean and with its peak at 0.5, as AudioLDM
    was trained on (haoheliu/AudioLDM, audio/tools.py); without, of the sound as it is. None means: levelled where the
    model's denoiser is AudioLDM's.
    """

    clip_s: float = 0.0
    audio_window_s: float = 1.0
    for_control: bool = False
    level_sound: bool | None = None


class ModelClipEncoder:
    """CLAP, the video encoder and the codec of one model, on the device that the model is on."""

    def __init__(self, pipeline: FoleyPipeline, audio: AudioEncoder, settings: Settings | None = None) -> None:
        """Take a model and the CLAP audio tower that belongs to its text tower (`audio_tower`).

        Raises:
            ConfigError: The model's encoders are not those of the library.
        """
        if not isinstance(pipeline.features, PromptAndPictureEncoder):
            raise ConfigError(f"The encoder {type(pipeline.features).__name__} cannot prepare clips.")
        self._pipeline, self._audio, self._features = pipeline, audio, pipeline.features
        asked = settings or Settings()
        level = pipeline.config.unet is not None if asked.level_sound is None else asked.level_sound
        self._settings = replace(asked, level_sound=level)
        self._spec = pipeline.spec
        window_s = float(self._spec.window_latent_frames / self._spec.latent_rate_hz)
        self.clip_s = self._settings.clip_s or window_s
        self._seconds = min(math.floor(self.clip_s), pipeline.config.alignment.clip_tokens)
        unet = pipeline.config.unet
        multiple = 1 if unet is None else 2 ** (len(unet.block_out_channels) - 1)
        frames = self._spec.latent_frames(round(self.clip_s * RATE_HZ))
        self._latent_frames = math.ceil(frames / multiple) * multiple
        self._embed = lru_cache(CAPTIONS_REMEMBERED)(self._read)

    @property
    def key(self) -> Mapping[str, Any]:
        """Hashes of every part that speaks, and the settings."""
        tower = getattr(self._audio, "model", None)
        return {
            "model": self._pipeline.name,
            **_hashes(self._pipeline, for_control=self._settings.for_control),
            "audio_sha256": "" if tower is None else weights_sha256({"clap_audio": tower}),
            **asdict(self._settings),
            "clip_s": self.clip_s,
        }

    @torch.no_grad()
    def encode(self, media: Media, captions: tuple[str, ...]) -> Mapping[str, np.ndarray]:
        """Arrays of the shapes that the module names.

        Raises:
            DataError: The clip is shorter than a second, or a caption longer than CLAP reads.
        """
        rate = self._spec.frame_rate
        length_s = min(float(len(media.rgb) / rate), len(media.samples) / RATE_HZ)
        present = np.arange(self._seconds) + 1 <= length_s + NEARLY_S
        if not present.any():
            raise DataError(f"The clip is only {length_s:.2f} s long; a second is the least to learn from.")
        seconds = int(present.sum())
        samples = torch.from_numpy(_of_length(media.samples, round(self.clip_s * RATE_HZ)))
        groups = self._seen(media, seconds)
        arrays = {
            "present": present,
            "seconds": _half(self._heard(samples, seconds), self._seconds),
            "sound": _half(self._audio.encode(samples[None, : self._longest_heard(media)])[0]),
            "video": _half(torch.stack([group.token for group in groups[:seconds]]), self._seconds),
            "captions": np.stack([self._embed(caption) for caption in captions]),
        }
        return arrays | self._for_control(samples, groups) if self._settings.for_control else arrays

    def _read(self, caption: str) -> np.ndarray:
        try:
            return _half(self._features.text.encode([caption])[0])
        except RequestError as error:
            raise DataError(str(error)) from error

    def _longest_heard(self, media: Media) -> int:
        """Samples of the clip, or as many as CLAP's published tower hears at once: its first 10 s."""
        limit = self._audio.window_samples if isinstance(self._audio, ClapAudioEncoder) else len(media.samples)
        return min(limit, len(media.samples))

    def _heard(self, samples: Float[Tensor, "S"], seconds: int) -> Float[Tensor, "T D"]:
        window = round(self._settings.audio_window_s * RATE_HZ)
        padded = torch.nn.functional.pad(samples, (0, max(0, (seconds - 1) * RATE_HZ + window - len(samples))))
        return self._audio.encode(padded.unfold(0, window, RATE_HZ)[:seconds])

    def _seen(self, media: Media, seconds: int) -> list[SeenGroup]:
        """The tokens of whole seconds at least, of as much as there is for the guide."""
        size = self._features.video.group_frames
        wanted = len(media.rgb) if self._settings.for_control else seconds * size
        rgb = torch.from_numpy(media.rgb[:wanted])
        missing = seconds * size - len(rgb)
        if missing > 0:
            rgb = torch.cat([rgb, rgb[-1:].expand(missing, -1, -1, -1)])
        return list(self._features.video.encode_shot(torch.split(rgb, size)))

    def _for_control(self, samples: Float[Tensor, "S"], groups: list[SeenGroup]) -> dict[str, np.ndarray]:
        frames, steps, hop_samples = self._latent_frames, self._spec.vae_factor, self._spec.output_hop_samples
        whole = torch.nn.functional.pad(samples, (0, frames * steps * hop_samples - len(samples)))
        latent = self._pipeline.synthesis.encode(_levelled(whole) if self._settings.level_sound else whole, _never)
        onsets = [time_s * RATE_HZ for time_s in onsets_s(samples.numpy(), RATE_HZ)]
        arrays = {
            "latent": _half(latent[:, :frames]),
            "energy": _half(energy_curve(whole, hop_samples, frames, steps)),
            "onsets": _half(onset_curve(onsets, hop_samples, frames, steps)),
        }
        guides = [group.guide for group in groups if group.guide is not None]
        if guides:
            seen = pick_hits(torch.cat([guide.onsets for guide in guides]), float(self._spec.frame_rate))
            energy = torch.cat([guide.energy for guide in guides])
            arrays["seen_onsets"] = _half(onset_curve([s * RATE_HZ for s in seen], hop_samples, frames, steps))
            arrays["seen_energy"] = _half(energy, frames)
        return arrays


def check_prepared_for(pipeline: FoleyPipeline, key: Mapping[str, Any], *, for_control: bool) -> None:
    """Refuse clips that other encoders spoke of: a module trained on them would understand nothing of this model's.

    Raises:
        ConfigError: They were, or lack what control learns from.
    """
    if for_control and not key.get("for_control"):
        raise ConfigError("The clips were prepared without what control learns from; prepare them with --for-control.")
    if any(key.get(name) != value for name, value in _hashes(pipeline, for_control=for_control).items()):
        raise ConfigError(
            f"The clips were prepared with the encoders of '{key.get('model')}', which are not those of "
            f"'{pipeline.name}'; prepare them with this model."
        )


def _hashes(pipeline: FoleyPipeline, *, for_control: bool) -> dict[str, str]:
    """What the arrays hang on: weights of the encoders, of the codec where there are latents, rates and lengths."""

    def of(names: tuple[str, ...]) -> str:
        return weights_sha256({name: pipeline.parts[name] for name in names if name in pipeline.parts})

    spec = json.dumps(asdict(pipeline.spec), default=str, sort_keys=True).encode()
    found = {"encoders_sha256": of(ENCODERS), "spec_sha256": hashlib.sha256(spec).hexdigest()}
    return found | {"codec_sha256": of(CODECS)} if for_control else found


def _half(values: Tensor, rows: int | None = None) -> np.ndarray:
    """Half precision on the CPU; with `rows`, cut or filled with zeros to as many."""
    array = values.detach().cpu().to(torch.float16).numpy()
    return array if rows is None else _of_length(array, rows)


def _of_length(array: np.ndarray, rows: int) -> np.ndarray:
    missing = max(0, rows - len(array))
    return np.pad(array[:rows], [(0, missing), *[(0, 0)] * (array.ndim - 1)])


def _levelled(samples: Float[Tensor, "S"]) -> Float[Tensor, "S"]:
    """Without its mean, its peak at 0.5; silence stays silence."""
    centred = samples - samples.mean()
    peak = centred.abs().max()
    return centred * (PEAK / peak) if peak > 1e-4 else centred


def _never() -> bool:
    return False
