"""What the CLAP towers learn from: windows of composed clips, and how people might write what is heard in them.

Knows scores, mels and words, no model.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.lib.format import open_memmap
from numpy.random import Generator
from torch import Tensor

from diffava.sounds.captions import ANYTHING, FRAMES, caption
from diffava.sounds.composition import draw_clip, waveform_of
from diffava.sounds.kinds import kind_named, kinds
from diffava.sounds.recordings import Split
from diffava.sounds.score import Hit, Score, Source
from diffava.sounds.takes import TakeLibrary
from diffava.whole_file import whole_file

HEARD_S = 0.1  # how much of a sound must lie in a window to be named
VAGUE = 0.1
LETTERS = "abcdefghijklmnopqrstuvwxyz"
BEFORE = ("please make", "add", "i want", "foley of", "loud", "soft", "a single", "some", "slow", "fast", "very")
BEHIND = ("outside", "in a room", "at night", "far away", "close up", "in the background", "please", "slowly")


@dataclass(frozen=True)
class Described:
    """A text and what it can mean: for each sound in order the kinds it may be; empty for silence."""

    text: str
    meaning: tuple[frozenset[str], ...]

    def fits(self, heard: tuple[str, ...]) -> bool:
        """Whether the text is true of a window in which these kinds are heard in this order."""
        return len(heard) == len(self.meaning) and all(
            kind in meant for kind, meant in zip(heard, self.meaning, strict=True)
        )


class MelBank:
    """The mels of clips drawn once and kept on disk in half precision, with their scores; clip `i` is of seed `i`."""

    def __init__(
        self,
        path: Path,
        library: TakeLibrary,
        split: Split,
        count: int,
        mel: Callable[[Float[Tensor, "S"]], Float[Tensor, "T M"]],
        *,
        duration_s: float = 5.12,
        first_seed: int = 0,
    ) -> None:
        clips = [draw_clip(library, split, duration_s, first_seed + index) for index in range(count)]
        self.scores = [clip.score for clip in clips]
        if not path.exists():
            with whole_file(path) as unfinished:
                mels = None
                for index, clip in enumerate(clips):
                    values = mel(torch.from_numpy(waveform_of(clip, library))).numpy()
                    if mels is None:
                        mels = open_memmap(unfinished, "w+", np.float16, (count, *values.shape))
                    mels[index] = values
        self.mels = np.load(path, mmap_mode="r")
        self.frames_per_s = self.mels.shape[1] / duration_s

    def window(self, index: int, first_frame: int, frames: int) -> tuple[Float[np.ndarray, "T M"], Score]:
        """Frames of a clip, and the score of what is heard in them."""
        values = self.mels[index, first_frame : first_frame + frames].astype(np.float32)
        start_s = first_frame / self.frames_per_s
        return values, heard_between(self.scores[index], start_s, start_s + frames / self.frames_per_s)


def heard_between(score: Score, start_s: float, stop_s: float) -> Score:
    """The score of a window; sources that are not heard in it are left out, and with none heard it is silent."""
    found = []
    for source in score.sources:
        seen_stop_s = max((stop for _, stop in source.in_frame), default=score.duration_s)
        hits = tuple(hit for hit in source.hits if _heard_s(hit, start_s, min(stop_s, seen_stop_s)) >= HEARD_S / 2)
        active = tuple(part for part in source.active if min(part[1], stop_s) - max(part[0], start_s) >= HEARD_S)
        if hits or active:
            found.append(replace(source, hits=hits, active=active))
    silent = Source(score.sources[0].kind, score.sources[0].motion)
    return replace(score, duration_s=stop_s - start_s, sources=tuple(found) or (silent,))


def _heard_s(hit: Hit, start_s: float, stop_s: float) -> float:
    return min(hit.time_s + hit.duration_s, stop_s) - max(hit.time_s, start_s)


def heard_kinds(score: Score) -> tuple[str, ...]:
    """The kinds of a window in their order; none for silence."""
    return tuple(source.kind for source in score.sources if source.hits or source.active)


def describe(score: Score, rng: Generator) -> Described:
    """A way to write what is heard: exact or vague, carelessly typed, among words that say nothing of the sound."""
    heard = heard_kinds(score)
    if len(heard) == 1 and rng.random() < VAGUE:
        word = str(rng.choice((*kind_named(heard[0]).vague, ANYTHING)))
        meant = frozenset(kind.name for kind in kinds() if word in (*kind.vague, ANYTHING))
        return Described(carelessly(str(rng.choice(FRAMES)).format(word), rng), (meant,))
    return Described(carelessly(caption(score, rng), rng), tuple(frozenset((kind,)) for kind in heard))


def carelessly(text: str, rng: Generator) -> str:
    """As people type: with other words around, a slip of the finger, another case, or a full stop."""
    draw = rng.random(5)
    if draw[0] < 0.2:
        text = f"{rng.choice(BEFORE)} {text}" if rng.random() < 0.5 else f"{text} {rng.choice(BEHIND)}"
    if draw[1] < 0.15:  # a word that it does not know must not move the ones that it knows
        unknown = "".join(rng.choice(list(LETTERS), rng.integers(3, 9)))
        text = f"{unknown} {text}" if rng.random() < 0.5 else f"{text} {unknown}"
    if draw[2] < 0.25:
        text = mistyped(text, rng)
    if draw[3] < 0.3:
        text = str(rng.choice([text.upper(), text.capitalize(), text.title()]))
    return text + str(rng.choice([".", "!", " ", "..."])) if draw[4] < 0.2 else text


def mistyped(text: str, rng: Generator) -> str:
    """One letter lost, doubled, swapped with the next, or another one in its place."""
    place = int(rng.integers(max(1, len(text) - 1)))
    head, letter, tail = text[:place], text[place : place + 1], text[place + 1 :]
    slips = (head + tail, head + letter * 2 + tail, head + tail[:1] + letter + tail[1:])
    return str(rng.choice([*slips, head + str(rng.choice(list(LETTERS))) + tail]))


def varied(mels: Float[Tensor, "B T M"], rng: Generator) -> Float[Tensor, "B T M"]:
    """Another distance, room and microphone: level, a smooth change of colour and a little pitch, each clip its own."""
    count, _, bins = mels.shape
    level = torch.from_numpy(rng.uniform(-2.0, 0.7, (count, 1, 1)).astype(np.float32))
    knots = torch.from_numpy(rng.normal(0, 0.6, (count, 1, 6)).astype(np.float32))
    colour = torch.nn.functional.interpolate(knots, bins, mode="linear", align_corners=True)
    pitch = rng.integers(-2, 3, count)  # mel bins
    shifted = torch.stack([torch.roll(mel, int(bins), 1) for mel, bins in zip(mels, pitch, strict=True)])
    floor = torch.log(torch.tensor(1e-5))
    return torch.where(shifted > floor + 0.05, shifted + level + colour, shifted).clamp(min=float(floor))
