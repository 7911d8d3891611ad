"""In time: onsets of generated contacts against the scene's, against given hits, and energy against a performance's.

The median error is over the pairs that match at the tolerance; the F1 says how many do not.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from diffava.evaluation.cases import Case
from diffava.evaluation.figures import Figure, mean_figure, measured
from diffava.evaluation.jury import Jury
from diffava.evaluation.sounds import DIFFAVA, HITS, PERFORMANCE, SHUFFLED, T2AV, TEXT, Setting, Sounds
from diffava.metrics.energy import energy_correlation
from diffava.metrics.matching import Matching, match, median_error_s, pooled_f1
from diffava.metrics.onsets import onsets_s
from diffava.sounds.takes import RATE_HZ

TOLERANCE_S, GIVEN_TOLERANCE_S = 0.05, 0.04
EDITOR_RATE = 24  # frames a second


def in_time(sounds: Sounds, jury: Jury) -> list[Figure]:
    """F1 at ±50 ms and its controls, the median error, F1 of given hits at ±40 ms, a performance's energy curve."""
    cases = sounds.held_out.impacts
    real = _matchings(cases, [sounds.held_out.reference(case) for case in cases], TOLERANCE_S)
    ceiling = pooled_f1(real)
    figures = []
    aligned: list[Matching] = []
    for setting in (T2AV, DIFFAVA, TEXT, SHUFFLED):
        found = _found(sounds, setting, TOLERANCE_S)
        title = f"onset F1 at ±50 ms, {setting.name}"
        if setting is T2AV:
            aligned = found
            figures.append(measured("onset_f1_t2av", title, found, pooled_f1, at_least=0.7, real=ceiling))
            figures += _errors(found, real)
        else:
            most = 0.5 * pooled_f1(aligned) if setting in (TEXT, SHUFFLED) else None
            figures.append(measured(f"onset_f1_{setting.name}", title, found, pooled_f1, at_most=most))
    given = _found(sounds, HITS, GIVEN_TOLERANCE_S)
    given_real = _matchings(cases, [sounds.held_out.reference(case) for case in cases], GIVEN_TOLERANCE_S)
    title = "onset F1 at ±40 ms of given hits"
    figures.append(measured("onset_f1_given_hits", title, given, pooled_f1, at_least=0.9, real=pooled_f1(given_real)))
    return [*figures, performed(sounds)]


def performed(sounds: Sounds) -> Figure:
    """How the energy curve of the result goes with the performance's."""
    cases = sounds.held_out.performances
    made = sounds.of(cases, PERFORMANCE)
    wanted = [sounds.held_out.performed(case) for case in cases]
    values = [energy_correlation(one, other, RATE_HZ) for one, other in zip(made, wanted, strict=True)]
    title = "energy curve's correlation with a performance"
    return replace(mean_figure("performance_correlation", title, values, at_least=0.9), real=1.0)


def _found(sounds: Sounds, setting: Setting, tolerance_s: float) -> list[Matching]:
    cases = sounds.held_out.impacts
    return _matchings(cases, sounds.of(cases, setting), tolerance_s)


def _matchings(cases: tuple[Case, ...], made: list[Float[np.ndarray, "_"]], tolerance_s: float) -> list[Matching]:
    return [match(case.hits_s, onsets_s(one, RATE_HZ), tolerance_s) for case, one in zip(cases, made, strict=True)]


def _errors(found: list[Matching], real: list[Matching]) -> list[Figure]:
    def milliseconds(drawn: list[Matching]) -> float:
        return 1000 * median_error_s(drawn)

    def frames(drawn: list[Matching]) -> float:
        return EDITOR_RATE * median_error_s(drawn)

    title = "median onset error, t2av"
    return [
        measured("onset_error_ms", title, found, milliseconds, unit="ms", real=milliseconds(real)),
        measured(
            "onset_error_frames",
            title,
            found,
            frames,
            unit=f"frames at {EDITOR_RATE}/s",
            at_most=1.0,
            real=frames(real),
        ),
    ]
