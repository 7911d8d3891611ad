"""Recognisable: do the judges name a generated sound as often as a real one? Exact captions only."""

from dataclasses import replace

import numpy as np

from diffava.evaluation.figures import Figure, mean_figure
from diffava.evaluation.jury import Jury, ratio_interval
from diffava.evaluation.sounds import PAPER, T2AV, Sounds


def recognisable(sounds: Sounds, jury: Jury) -> list[Figure]:
    """The accuracy of each judge in each setting, and relative to its accuracy on real held-out clips."""
    cases = tuple(case for case in sounds.held_out.singles if not case.vague)
    labels = jury.labels(cases)
    figures = []
    for setting in PAPER:
        made = sounds.of(cases, setting)
        for name, judge, real in (("a", jury.a, jury.real_right[0]), ("b", jury.b, jury.real_right[1])):
            right = jury.named_right(judge, made, labels)
            title = f"judge {name} names it right, {setting.name}"
            key = f"recognisable_{name}_{setting.name}"
            figures.append(replace(mean_figure(key, title, right), real=float(np.mean(real))))
            if setting is T2AV:
                low, high = ratio_interval(right, real)
                ratio = float(np.mean(right)) / max(1e-9, float(np.mean(real)))
                wanted = 1.0 if name == "a" else 0.8
                relative = f"judge {name}: as often as real recordings, {setting.name}"
                figures.append(Figure(f"{key}_ratio", relative, ratio, low, high, len(right), "x", at_least=wanted))
    return figures


def judges(sounds: Sounds, jury: Jury) -> list[Figure]:
    """What the judges are worth: their accuracy on real held-out clips and on bare held-out takes, by kind."""
    takes = [(jury.library.waveform(take), kind) for kind in jury.kinds for take in jury.library.of(kind, "held_out")]
    labels = np.array([jury.kinds.index(kind) for _, kind in takes])
    figures = []
    for name, judge, real in (("a", jury.a, jury.real_right[0]), ("b", jury.b, jury.real_right[1])):
        figures.append(mean_figure(f"judge_{name}_clips", f"judge {name} on real held-out clips", real))
        right = np.array(jury.named_right(judge, [samples for samples, _ in takes], labels))
        by_kind = [float(right[labels == kind].mean()) for kind in range(len(jury.kinds))]
        figures.append(
            mean_figure(f"judge_{name}_takes", f"judge {name} on bare held-out takes, mean of kinds", by_kind)
        )
    return figures
