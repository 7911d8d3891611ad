"""Metrics of timing: onsets against the reference's, energy over time, AV-Align. They need no download."""

from collections.abc import Callable, Sequence

import numpy as np

from diffava.evaluation.figures import Figure, mean_figure, measured
from diffava.evaluation.tables.metric import Item, Metric, Need, Role, Taken
from diffava.metrics.av_align import VARIANTS, Variant, av_align, flow_peaks_s
from diffava.metrics.energy import correlation_of_curves
from diffava.metrics.matching import Matching, match, pooled_f1
from diffava.metrics.onset_errors import SHARES, error_distribution

TOLERANCE_S = 0.05  # two frames at 40 a second: what a viewer takes for one moment
ERROR_TOLERANCE_S = 0.1  # of errors whose distribution is told; wider than the other, so that its tail is seen
FRAME_RATE = 25.0  # that errors are told in
_BOTH: tuple[Role, Role] = ("reference", "generated")


def _matched(items: Sequence[Item], tolerance_s: float) -> list[Matching]:
    def times_s(item: Item, role: Role) -> list[float]:
        times: list[float] = item.of("onsets", role, "times_s").tolist()
        return times

    return [match(times_s(item, "reference"), times_s(item, "generated"), tolerance_s) for item in items]


def _onset_f1(items: Sequence[Item]) -> Taken:
    matched = _matched(items, TOLERANCE_S)
    return Taken(
        [measured("onset_f1", f"onset F1 at ±{TOLERANCE_S * 1000:.0f} ms", matched, pooled_f1)],
        {"onset_f1": [one.f1 for one in matched]},
    )


def _onset_error(items: Sequence[Item]) -> Taken:
    matched = _matched(items, ERROR_TOLERANCE_S)
    found = error_distribution(matched)
    middle = SHARES.index(0.5)

    def median_ms(drawn: list[Matching]) -> float:
        return error_distribution(drawn).quantiles_ms[middle]

    def median_frames(drawn: list[Matching]) -> float:
        return error_distribution(drawn).in_frames(FRAME_RATE)[middle]

    figures = [
        measured("onset_error_ms", "onset error, median", matched, median_ms, unit="ms"),
        measured("onset_error_frames", f"  in frames, {FRAME_RATE:.0f} a second", matched, median_frames),
        measured(
            "onset_bias_ms", "onset bias, late above 0", matched, lambda d: error_distribution(d).bias_ms, unit="ms"
        ),
    ]
    for share, quantile_ms in zip(SHARES, found.quantiles_ms, strict=True):
        if share != SHARES[middle]:
            figures.append(
                Figure(
                    f"onset_error_ms_q{share * 100:02.0f}",
                    f"onset error, {share:.0%} below",
                    quantile_ms,
                    unit="ms",
                )
            )
    return Taken(figures, {"onset_errors_ms": [1000 * error for one in matched for error in one.errors_s]})


def _energy(items: Sequence[Item]) -> Taken:
    values = [correlation_of_curves(*_as_long(item)) for item in items]
    return Taken([mean_figure("energy", "energy, correlation", values)], {"energy": values})


def _as_long(item: Item) -> tuple[np.ndarray, np.ndarray]:
    """Both curves; the shorter one goes on in silence."""
    curves = [item.of("energy", role, "level_db") for role in _BOTH]
    length = max(len(curve) for curve in curves)
    one, other = (np.pad(curve, (0, length - len(curve))) for curve in curves)
    return one, other


def _condfoleygen(items: Sequence[Item]) -> Taken:
    from diffava.metrics.condfoleygen import Onsets, onset_agreement

    def onsets(item: Item, role: Role) -> Onsets:
        at = item.of("condfoleygen", role, "samples")
        wave = np.zeros(int(at.max(initial=-1)) + 1, np.float32)
        wave[at] = item.of("condfoleygen", role, "heights")
        return Onsets(tuple(at.tolist()), tuple(item.of("condfoleygen", role, "confidences").tolist()), wave)

    pairs = [(onsets(item, "reference"), onsets(item, "generated")) for item in items]
    agreed = [onset_agreement(wanted, found) for wanted, found in pairs if wanted.samples]
    values = {
        "onset_accuracy": [one.accuracy for one in agreed],
        "onset_ap": [one.average_precision for one in agreed],
        "onset_count": [float(one.same_count) for one in agreed],
    }
    titles = ("CondFoleyGen onset accuracy", "CondFoleyGen onset AP", "CondFoleyGen same count")
    return Taken(
        [mean_figure(key, title, values[key]) for key, title in zip(values, titles, strict=True)],
        values,
    )


def _av_align(variant: Variant) -> Callable[[Sequence[Item]], Taken]:
    key = f"av_align_{variant}"

    def score(sound: Item, role: Role, film: Item) -> float:
        rate = float(film.of("flow", "film", "frame_rate"))
        peaks = flow_peaks_s(film.of("flow", "film", "trajectory").tolist(), rate, variant)
        return av_align(sound.of("librosa_onsets", role, "times_s").tolist(), peaks, rate, variant)

    def take(items: Sequence[Item]) -> Taken:
        made = [score(item, "generated", item) for item in items]
        real = [value for item in items if not np.isnan(value := score(item, "reference", item))]
        others = [score(item, "generated", other) for item, other in zip(items, (*items[1:], items[0]), strict=True)]
        title = f"AV-Align, {variant}"
        floor = float(np.mean(real)) if real else float("nan")
        return Taken(
            [
                mean_figure(key, title, made, real=floor),
                mean_figure(f"{key}_others", f"{title}, next film", others),
            ],
            {key: made},
        )

    return take


def _both(extractor: str) -> tuple[Need, ...]:
    return (extractor, "generated"), (extractor, "reference")


TIME_METRICS = (
    Metric(
        "onset_f1",
        1,
        "our detector of impacts, matched one to one, counts pooled",
        _both("onsets"),
        _onset_f1,
        "higher",
    ),
    Metric(
        "onset_error",
        1,
        f"distances of the onsets matched within ±{ERROR_TOLERANCE_S * 1000:.0f} ms; read it beside F1",
        _both("onsets"),
        _onset_error,
        "lower",
    ),
    Metric("energy", 1, "Pearson's of the levels of 40 ms, over 50 dB", _both("energy"), _energy, "higher"),
    Metric(
        "onset_accuracy",
        1,
        "CondFoleyGen's protocol; clips whose reference has no onset are left out",
        _both("condfoleygen"),
        _condfoleygen,
        "higher",
    ),
    *(
        Metric(
            f"av_align_{variant}",
            1,
            {"2023": "TempoTokens at 34d9502", "2025": "TempoTokens at bf0b1e3", "paper": "arXiv:2309.16429, eq. 9"}[
                variant
            ]
            + "; clips with neither onset nor peak are left out",
            (*_both("librosa_onsets"), ("flow", "film")),
            _av_align(variant),
            "higher",
        )
        for variant in VARIANTS
    ),
)
