"""The held-out set of the benchmark: scores of held-out takes, what they sound like, look like and are called.

Seeds come from a range of their own, and scenes are drawn with parameters that training never uses. Knows no model.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float, UInt8

from diffava.evaluation.judge import CLIP_S
from diffava.evaluation.judge_training import judged_kinds
from diffava.metrics.matching import match, pooled_f1
from diffava.metrics.onsets import onsets_s
from diffava.scenes.render import render
from diffava.sounds.captions import caption
from diffava.sounds.composition import Clip, draw_clip, waveform_of
from diffava.sounds.kinds import kind_named
from diffava.sounds.score import Score
from diffava.sounds.takes import RATE_HZ, TakeLibrary

LEAST_CLEAR_F1 = 0.85
FIRST_SEED = 8_000_000_000  # training and validation draw below this
Render = Callable[[Score, Fraction, int], UInt8[np.ndarray, "F height width 3"]]


@dataclass(frozen=True, eq=False)
class Case:
    """One clip of the held-out set. `seed` is its own: the score is drawn from it, and so is the model's noise."""

    name: str
    seed: int
    clip: Clip
    prompt: str
    vague: bool

    @property
    def score(self) -> Score:
        """What happens in it."""
        return self.clip.score

    @property
    def hits_s(self) -> tuple[float, ...]:
        """When contacts and calls begin, of all its sources."""
        return tuple(sorted(hit.time_s for source in self.score.sources for hit in source.hits))


def render_unseen(score: Score, frame_rate: Fraction, size_pixels: int) -> UInt8[np.ndarray, "F height width 3"]:
    """The picture of a score, in a scene whose parameters no training scene has."""
    return render(score, frame_rate, size_pixels, unseen=True)


class HeldOutSet:
    """Five sets of cases, each a function of how many clips are asked for.

    singles      one sound each, every judged kind as often; every third caption is vague
    impacts      clear contacts only, every such kind as often, exact captions: for onsets
    leaving      one sound whose source comes in or leaves
    orders       two judged kinds, one after the other
    performances one sound of any kind, and somebody's performance of another's timing
    """

    def __init__(self, library: TakeLibrary, clip_count: int, render_score: Render = render_unseen) -> None:
        self.library, self._render = library, render_score
        self.judged = judged_kinds(library)
        contacts = clear_contacts(library)
        few = max(2, round(clip_count * 0.3))
        self.singles = self._cases("single", 0, clip_count, itertools.cycle([(kind,) for kind in self.judged]))
        self.impacts = self._cases(
            "impact", 1, max(2, round(clip_count * 0.45)), itertools.cycle((k,) for k in contacts)
        )
        self.leaving = self._cases("leaving", 2, few, itertools.cycle([(kind,) for kind in self.judged]), _leaves)
        self.orders = self._cases("order", 3, few, self._pairs())
        self.performances = self._cases("performance", 4, few, itertools.cycle([(kind,) for kind in self.judged]))

    def reference(self, case: Case) -> Float[np.ndarray, "S"]:
        """The real recording of a case, at 48 kHz."""
        return waveform_of(case.clip, self.library)

    def pictures(self, case: Case, frame_rate: Fraction, size_pixels: int) -> UInt8[np.ndarray, "F height width 3"]:
        """What is seen in a case."""
        return self._render(case.score, frame_rate, size_pixels)

    def performed(self, case: Case) -> Float[np.ndarray, "S"]:
        """Somebody's performance for a case: a real recording of another kind with the same action, timed otherwise."""
        kind = case.score.sources[0].kind
        others = [k for k in self.judged if k != kind and kind_named(k).action == kind_named(kind).action]
        seed = case.seed + 500_000
        return waveform_of(
            draw_clip(self.library, "held_out", CLIP_S, seed, kinds=(others[case.seed % len(others)],)), self.library
        )

    def another(self, case: Case) -> Float[np.ndarray, "S"]:
        """A real recording of the same sounds with another timing: what a model does that knows no more than words."""
        kinds = tuple(source.kind for source in case.score.sources)
        return waveform_of(draw_clip(self.library, "held_out", CLIP_S, case.seed + 900_000, kinds=kinds), self.library)

    def _pairs(self) -> Iterator[tuple[str, ...]]:
        rng = np.random.default_rng(FIRST_SEED)
        while True:
            yield tuple(str(kind) for kind in rng.choice(self.judged, 2, replace=False))

    def _cases(
        self,
        name: str,
        number: int,
        count: int,
        kinds: Iterator[tuple[str, ...]],
        wanted: Callable[[Score], bool] = lambda _: True,
    ) -> tuple[Case, ...]:
        """Cases in the order of `kinds`; of the clips of a seed after another, the first that is wanted is taken."""
        cases = []
        first = FIRST_SEED + number * 10_000_000
        for k, names in zip(range(count), kinds, strict=False):
            seeds = itertools.count(first + k * 1000)
            seed, clip = next(
                (seed, clip)
                for seed in seeds
                if wanted((clip := draw_clip(self.library, "held_out", CLIP_S, seed, kinds=names)).score)
            )
            # One clip of each kind in three is called by a vague word, which only the picture can make exact.
            vague = name == "single" and k // len(self.judged) % 3 == 2
            prompt = caption(clip.score, np.random.default_rng(seed), vague=float(vague))
            cases.append(Case(f"{name}-{k:03}", seed, clip, prompt, vague))
        return tuple(cases)


def clear_contacts(library: TakeLibrary) -> tuple[str, ...]:
    """The kinds of contact that are heard as often as their score says: on clips of the generator's split, F1 ≥ 0.85.

    A die that rolls on or a door that rattles is one event and many onsets, on which no sound could be in time.
    """
    clear = []
    for kind in library.kinds_in("held_out"):
        if kind_named(kind).action == "impact":
            clips = [draw_clip(library, "generator", CLIP_S, seed, kinds=(kind,)) for seed in range(8)]
            heard = [onsets_s(waveform_of(clip, library), RATE_HZ) for clip in clips]
            scored = [[hit.time_s for hit in clip.score.sources[0].hits] for clip in clips]
            if pooled_f1(match(a, b, 0.05) for a, b in zip(scored, heard, strict=True)) >= LEAST_CLEAR_F1:
                clear.append(kind)
    return tuple(clear)


def _leaves(score: Score) -> bool:
    """Whether the one source is out of the picture for a while."""
    return score.sources[0].in_frame != ((0.0, score.duration_s),)


def clip_samples() -> int:
    """The length of every case at 48 kHz."""
    return round(CLIP_S * RATE_HZ)
