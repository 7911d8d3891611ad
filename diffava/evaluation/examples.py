"""A picture of a few examples: what is seen, what the score says, what the model makes of it, and what is real."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from diffava.evaluation.cases import Case
from diffava.evaluation.judge import CLIP_S, Hearing
from diffava.evaluation.sounds import T2AV, Sounds
from diffava.whole_file import whole_file

PICTURES = 10
RATE, SIZE_PIXELS = 25, 96


def draw_examples(sounds: Sounds, path: Path) -> None:
    """Write a PNG with a column for each of four cases: the first two contacts, one that leaves, and an order."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    held_out = sounds.held_out
    cases = (*held_out.impacts[:2], *held_out.leaving[:1], *held_out.orders[:1])
    figure, axes = pyplot.subplots(4, len(cases), figsize=(5 * len(cases), 8), squeeze=False, layout="constrained")
    for column, case in enumerate(cases):
        [of_set] = [kept for kept in (held_out.impacts, held_out.leaving, held_out.orders) if case in kept]
        made = sounds.of(of_set, T2AV)[of_set.index(case)]
        _strip(axes[0][column], sounds, case)
        _events(axes[1][column], case)
        _mel(axes[2][column], made, f"{sounds.generator.name}: {case.prompt}", case)
        _mel(axes[3][column], held_out.reference(case), "real held-out recording", case)
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, dpi=80, format="png")
    pyplot.close(figure)


def _strip(axis: Any, sounds: Sounds, case: Case) -> None:
    pictures = sounds.held_out.pictures(case, Fraction(RATE), SIZE_PIXELS)
    chosen = pictures[np.linspace(0, len(pictures) - 1, PICTURES).round().astype(int)]
    axis.imshow(np.concatenate(list(chosen), axis=1), extent=(0, CLIP_S, 0, CLIP_S / PICTURES), aspect="auto")
    axis.set_yticks([])
    axis.set_title(" + ".join(source.kind for source in case.score.sources))


def _events(axis: Any, case: Case) -> None:
    for row, source in enumerate(case.score.sources):
        for start_s, stop_s in source.in_frame:
            axis.barh(row, stop_s - start_s, left=start_s, height=0.8, color="0.9")
        for start_s, stop_s in source.active:
            axis.barh(row, stop_s - start_s, left=start_s, height=0.4, color="tab:blue")
        for hit in source.hits:
            axis.plot([hit.time_s] * 2, [row - 0.4 * hit.strength, row + 0.4 * hit.strength], color="tab:red")
    axis.set(xlim=(0, CLIP_S), yticks=[], ylabel="score")


def _mel(axis: Any, samples: Float[np.ndarray, "S"], title: str, case: Case) -> None:
    shown = Hearing()(samples).T.numpy()
    axis.imshow(shown, origin="lower", aspect="auto", extent=(0, CLIP_S, 0, len(shown)), vmin=0, vmax=1)
    for time_s in case.hits_s:
        axis.axvline(time_s, color="white", linewidth=0.6, linestyle=":")
    axis.set(yticks=[], title=title, xlabel="s")
