"""`diffava train prepare`: every clip of a corpus through a model's frozen encoders, once."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from diffava.builders import load, open_model
from diffava.cli.progress import counting
from diffava.errors import RequestError
from diffava.pipeline import FoleyPipeline
from diffava.training.corpora.corpus import Corpus
from diffava.training.corpora.owner_lists import AudioCaps, Llp, VggSound
from diffava.training.corpora.video_folder import VideoFolder
from diffava.training.prepared.audio_tower import audio_tower
from diffava.training.prepared.encoder import ModelClipEncoder, Settings
from diffava.training.prepared.media import read_media
from diffava.training.prepared.preparation import MISSING, SKIPPED, Summary, prepare

CorpusName = Literal["folder", "audiocaps", "vggsound", "llp"]


def prepare_clips(
    corpus: CorpusName,
    media: Path,
    *,
    out: Path,
    model: str = "audioldm-s",
    weights: Path | None = None,
    clap: Path | None = None,
    table: Annotated[Path | None, Parameter(name="--list")] = None,
    part: str = "train",
    captions: Path | None = None,
    licence: str = "",
    clip_s: float = 0.0,
    audio_window_s: float = 1.0,
    for_control: bool = False,
    workers: int = 2,
    device: str = "cpu",
    as_json: Annotated[bool, Parameter(name="--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Encode a corpus once, so that training reads numbers instead of videos; a stopped preparation goes on.

    Nothing is downloaded: the media must be there. Clips of a list without media, and files that cannot be read, are
    counted and listed beside the result.

    Args:
        corpus: folder (any videos with sound), or a published collection: audiocaps, vggsound, llp.
        media: The folder that holds the videos, at any depth.
        out: Where the prepared clips are kept, a folder for each corpus and model.
        model: Whose encoders are asked: a model's name.
        weights: A saved model's folder, instead of what ships under that name.
        clap: CLAP in transformers' format, for a model that brings no audio tower.
        table: The list that the collection's owners publish (for audiocaps, vggsound and llp).
        part: train or test, for vggsound, whose list holds both.
        captions: A table with columns path and caption, for a folder; else texts beside the videos, or their names.
        licence: What may be done with a folder's videos, in your words; kept with all that is trained on them.
        clip_s: The longest clip; by default what the model's denoiser spans.
        audio_window_s: How much of the sound counts for a second: 1 or 2.
        for_control: Also encode what the control branch learns from.
        workers: Threads that decode ahead.
        device: Where the encoders compute: cpu, cuda, cuda:1, mps.
        as_json: For programs.
    """
    pipeline = load(weights, device) if weights is not None else open_model(model, device)
    settings = Settings(clip_s, audio_window_s, for_control)
    summary = prepare_for(
        pipeline, _corpus(corpus, media, table, part, captions, licence), out, settings, workers, clap
    )
    sys.stdout.write(f"{told(summary)} The prepared clips are in {out}.\n")
    if as_json:
        counts = {"clips": summary.clips, "skipped": len(summary.skipped), "missing": len(summary.missing)}
        sys.stdout.write(json.dumps({"prepared": str(out), **counts}) + "\n")


def prepare_for(
    pipeline: FoleyPipeline, corpus: Corpus, out: Path, settings: Settings, workers: int, clap: Path | None = None
) -> Summary:
    """Prepare a corpus for a model, with a live line."""
    encoder = ModelClipEncoder(pipeline, audio_tower(pipeline, clap), settings)
    spec = pipeline.spec
    with counting("clips", None) as count:
        return prepare(
            corpus,
            encoder,
            lambda clip: read_media(clip.path, clip.start_s, clip.duration_s, spec.frame_rate, spec.frame_size_pixels),
            out,
            workers=workers,
            on_clip=lambda done, skipped: count(done, f"{skipped} skipped" if skipped else ""),
        )


def told(summary: Summary) -> str:
    """What became of a corpus, in a sentence or two."""
    text = f"{summary.clips} clips are prepared."
    if summary.skipped:
        text += f" {len(summary.skipped)} could not be used ({SKIPPED} says why)."
    if summary.missing:
        text += f" The media of {len(summary.missing)} listed clips are not there ({MISSING} names them)."
    return text


def _corpus(
    name: CorpusName, media: Path, table: Path | None, part: str, captions: Path | None, licence: str
) -> Corpus:
    if name == "folder":
        if table is not None:
            raise RequestError("--list is for published collections; give a folder's captions with --captions.")
        return VideoFolder(media, captions, licence)
    if table is None:
        raise RequestError(f"--list is missing: give the list of {name} that its owners publish.")
    if name == "vggsound":
        return VggSound(table, media, part)
    return AudioCaps(table, media) if name == "audiocaps" else Llp(table, media)
