"""Meaning from the picture: what does the judge hear when the prompt says only "sound"?"""

import numpy as np

from diffava.evaluation.figures import Figure, mean_figure
from diffava.evaluation.jury import Jury
from diffava.evaluation.sounds import PICTURE_ALONE, Sounds


def meaning(sounds: Sounds, jury: Jury) -> list[Figure]:
    """Each judge's accuracy with the picture alone; the target is three times chance."""
    cases = sounds.held_out.singles
    made = sounds.of(cases, PICTURE_ALONE)
    chance = 1 / len(jury.kinds)
    return [
        mean_figure(
            f"meaning_{name}",
            f'judge {name} names it right, prompt "sound" (chance is {chance:.3f})',
            jury.named_right(judge, made, jury.labels(cases)),
            at_least=3 * chance,
            real=float(np.mean(real)),
        )
        for name, judge, real in (("a", jury.a, jury.real_right[0]), ("b", jury.b, jury.real_right[1]))
    ]
