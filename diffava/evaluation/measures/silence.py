"""Silent where it should be: a source that is out of the picture is not heard; two sounds come in their order."""

import numpy as np
from jaxtyping import Float

from diffava.evaluation.cases import Case
from diffava.evaluation.figures import Figure, mean_figure
from diffava.evaluation.judge import heard_by
from diffava.evaluation.jury import Jury
from diffava.evaluation.sounds import T2AV, Sounds
from diffava.metrics.energy import level_db
from diffava.sounds.takes import RATE_HZ

QUIETER_DB = 20.0
EDGE_S = 0.1  # on either side of the moment at which a source leaves, nothing is counted
MOST_DB = 60.0  # a larger difference is not a better one


def silence(sounds: Sounds, jury: Jury) -> list[Figure]:
    """How much quieter it is while the source is out of the picture, and whether two sounds are in order."""
    cases = sounds.held_out.leaving
    made = sounds.of(cases, T2AV)
    differences = [difference_db(case, one) for case, one in zip(cases, made, strict=True)]
    real = [difference_db(case, sounds.held_out.reference(case)) for case in cases]
    quiet, quiet_real = _quiet(differences), float(np.mean(_quiet(real)))
    title = "at least 20 dB quieter while its source is out of the picture"
    median = "median of how much quieter"
    return [
        mean_figure("silent_out_of_frame", title, quiet, at_least=0.8, real=quiet_real),
        Figure(
            "silent_median_db",
            median,
            float(np.median(differences)),
            count=len(cases),
            unit="dB",
            real=float(np.median(real)),
        ),
        order(sounds, jury),
    ]


def order(sounds: Sounds, jury: Jury) -> Figure:
    """How often the first half is more like the first sound than the second half is; judge a, chance is a half."""
    cases = sounds.held_out.orders
    right = in_order(jury, cases, sounds.of(cases, T2AV))
    real = in_order(jury, cases, [sounds.held_out.reference(case) for case in cases])
    return mean_figure("order", "the order of two sounds is right", right, at_least=0.8, real=float(np.mean(real)))


def difference_db(case: Case, samples: Float[np.ndarray, "S"]) -> float:
    """By how many dB a sound is louder while its one source is in the picture."""
    [(start_s, stop_s)] = case.score.sources[0].in_frame
    times_s = np.arange(len(samples)) / RATE_HZ
    inside = (times_s >= start_s) & (times_s < stop_s)
    outside = (times_s < start_s - EDGE_S) | (times_s >= stop_s + EDGE_S)
    return min(MOST_DB, level_db(samples[inside]) - level_db(samples[outside]))


def in_order(jury: Jury, cases: tuple[Case, ...], made: list[Float[np.ndarray, "_"]]) -> list[float]:
    """1 where the halves in the order of the score are likelier than the other way round, else 0."""
    halves = [half for one in made for half in np.split(one, 2)]
    log_p = np.log(heard_by(jury.a, halves)[0] + 1e-9).reshape(len(made), 2, -1)
    right = []
    for case, (first, second) in zip(cases, log_p, strict=True):
        one, other = (jury.kinds.index(source.kind) for source in case.score.sources)
        right.append(float(first[one] + second[other] > first[other] + second[one]))
    return right


def _quiet(differences: list[float]) -> list[float]:
    return [float(difference >= QUIETER_DB) for difference in differences]
