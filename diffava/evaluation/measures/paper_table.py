"""The paper's table on our own data: IS, KL, FAD and FD, each on judge a's features and so not the papers' numbers.

FD is taken between whole clips, FAD between windows of 0.96 s, both against real held-out clips of all judged kinds. IS
has one split, since ten of so few clips would be too small. KL is paired with the real recording of the same score.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from diffava.evaluation.figures import Figure, measured
from diffava.evaluation.judge import heard_by
from diffava.evaluation.jury import Jury
from diffava.evaluation.sounds import PAPER, TEXT, Sounds
from diffava.metrics.class_probabilities import inception_score, paired_kl
from diffava.metrics.frechet import frechet_distance


@dataclass(frozen=True, eq=False)
class _Clip:
    """What judge a says of one clip, and of the real clip with its score."""

    probabilities: Float[np.ndarray, "K"]
    kl: float
    features: Float[np.ndarray, "D"]
    windows: Float[np.ndarray, "W D"]


def paper_table(sounds: Sounds, jury: Jury) -> list[Figure]:
    """Four figures for each of text alone, DiffAVA, and DiffAVA with T2AV."""
    cases = sounds.held_out.singles
    references = heard_by(jury.a, [sounds.held_out.reference(case) for case in cases])[0]
    real = _figures("real", _clips(jury, [sounds.held_out.another(case) for case in cases], references), jury)
    figures: list[Figure] = []
    text: dict[str, float] = {}
    for setting in PAPER:
        found = _figures(setting.name, _clips(jury, sounds.of(cases, setting), references), jury)
        if setting is TEXT:
            text = {figure.key.split("_")[0]: figure.value for figure in found}
        for figure, other in zip(found, real, strict=True):
            name = figure.key.split("_")[0]
            better = text[name] if setting is not TEXT and name in ("kl", "fd") else None
            # "Better than text alone" is a strict bound.
            at_most = None if better is None else math.nextafter(better, -math.inf)
            figures.append(replace(figure, real=other.value, at_most=at_most))
    return figures


def _clips(jury: Jury, made: list[Float[np.ndarray, "_"]], references: Float[np.ndarray, "N K"]) -> list[_Clip]:
    probabilities, features = heard_by(jury.a, made)
    divergences = paired_kl(references, probabilities)
    windows = jury.windows(made)
    return [
        _Clip(p, float(kl), f, w) for p, kl, f, w in zip(probabilities, divergences, features, windows, strict=True)
    ]


def _figures(name: str, clips: list[_Clip], jury: Jury) -> list[Figure]:
    def inception(drawn: list[_Clip]) -> float:
        return inception_score(np.stack([clip.probabilities for clip in drawn]), splits=1)[0]

    def divergence(drawn: list[_Clip]) -> float:
        return float(np.mean([clip.kl for clip in drawn]))

    def distance(drawn: list[_Clip]) -> float:
        return frechet_distance(np.stack([clip.features for clip in drawn]), jury.real_features)

    def window_distance(drawn: list[_Clip]) -> float:
        return frechet_distance(np.concatenate([clip.windows for clip in drawn]), jury.real_windows)

    return [
        measured(f"is_{name}", f"IS on judge a, {name}", clips, inception),
        measured(f"kl_{name}", f"KL on judge a, {name}", clips, divergence),
        measured(f"fad_{name}", f"FAD on judge a's features, {name}", clips, window_distance, rounds=100),
        measured(f"fd_{name}", f"FD on judge a's features, {name}", clips, distance, rounds=100),
    ]
