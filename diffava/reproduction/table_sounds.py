"""The sounds of a table's test part: the real ones, and a model's for the same clips. Knows clips, no figure.

A sound that is there is not made again, and appears whole or not at all.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from jaxtyping import Float

from diffava.config import SamplerName
from diffava.errors import DataError
from diffava.evaluation.generators import in_groups
from diffava.pipeline import FoleyPipeline
from diffava.sounds.takes import RATE_HZ
from diffava.spec import FoleyRequest, Frames
from diffava.training.corpora.corpus import Clip, Corpus
from diffava.training.prepared.media import Media, read_media
from diffava.whole_file import whole_file


@dataclass(frozen=True)
class Sampling:
    """How sounds are made. The paper does not say; these are AudioLDM's own command's, but for DDIM's eta (1 there)."""

    step_count: int = 200
    guidance_scale: float = 2.5
    sampler: SamplerName = "ddim"
    seed: int = 0


def chosen_caption(clip: Clip, seed: int) -> str:
    """One of the clip's captions at random, as the paper has it; the same one for every row of the table."""
    rng = np.random.default_rng((seed, zlib.crc32(clip.clip_id.encode())))
    return clip.captions[int(rng.integers(len(clip.captions)))]


def write_references(corpus: Corpus, clip_s: float, folder: Path, pipeline: FoleyPipeline) -> dict[str, str]:
    """The real sound of every clip that can be read; those that cannot, with the reason.

    Raises:
        DataError: Not one can be read.
    """
    skipped: dict[str, str] = {}
    made = 0
    for clip in corpus.clips(clip_s):
        path = _path(folder, clip)
        try:
            if not path.exists():
                _write(path, _media(clip, pipeline).samples)
            made += 1
        except DataError as error:
            skipped[clip.clip_id] = str(error)
    if not made:
        reason = next(iter(skipped.values()), "no clip of the list has its media there")
        raise DataError(f"No test clip can be read: {reason}")
    return skipped


def write_generated(
    pipeline: FoleyPipeline,
    clips: Sequence[Clip],
    folder: Path,
    sampling: Sampling,
    *,
    sees: bool,
    on_sound: Callable[[int, int], None] = lambda _done, _of: None,
) -> None:
    """A model's sound for every clip, as long as the real one; with `sees`, from its pictures as well.

    Without, the condition is CLAP's embedding of the caption alone: AudioLDM itself.
    """
    for number, clip in enumerate(clips, 1):
        path = _path(folder, clip)
        if not path.exists():
            media = _media(clip, pipeline)
            request = FoleyRequest(
                chosen_caption(clip, sampling.seed),
                len(media.samples),
                seeds=(zlib.crc32(clip.clip_id.encode()) + sampling.seed,),
                frame_count=pipeline.spec.video_frames(len(media.samples)) if sees else 0,
                step_count=sampling.step_count,
                guidance_scale=sampling.guidance_scale,
                sampler=sampling.sampler,
                guide="none",
            )
            pieces = [piece.samples for piece in pipeline.generate(request, _frames(media, request.frame_count))]
            _write(path, torch.cat(pieces).float().cpu().numpy())
        on_sound(number, len(clips))


def readable(corpus: Corpus, clip_s: float, references: Path) -> list[Clip]:
    """The clips whose real sound was written."""
    return [clip for clip in corpus.clips(clip_s) if _path(references, clip).exists()]


def _media(clip: Clip, pipeline: FoleyPipeline) -> Media:
    spec = pipeline.spec
    return read_media(clip.path, clip.start_s, clip.duration_s, spec.frame_rate, spec.frame_size_pixels)


def _frames(media: Media, count: int) -> Iterator[Frames]:
    """Exactly `count` pictures in groups as a server gets them; a film that ends early holds its last."""
    rows = media.rgb[np.minimum(np.arange(count), len(media.rgb) - 1)]
    return in_groups(rows)


def _path(folder: Path, clip: Clip) -> Path:
    return folder / f"{clip.clip_id}.wav"


def _write(path: Path, samples: Float[np.ndarray, "S"]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as unfinished:
        soundfile.write(unfinished, np.clip(samples, -1, 1), RATE_HZ, "PCM_24", format="WAV")
